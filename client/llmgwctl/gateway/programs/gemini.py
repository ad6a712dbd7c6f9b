"""gemini-cli, which can ask a LiteLLM in Google's dialect.

Led by GOOGLE_GEMINI_BASE_URL alone it takes itself for logged in to a "gateway", and then refuses
that login (0.61): its settings must say that the login is a key, which `setup` does. A login with
Google in them beats all variables.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from llmgwctl.gateway.programs.program import (
    NODE_PROXIES,
    Endpoint,
    Lead,
    Program,
    Variable,
    rival,
)
from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping

LOGIN = "gemini-api-key"
# In a file with comments, which the standard library cannot read.
_SELECTED = re.compile(r'"selectedType"\s*:\s*"([^"]*)"')


def folder(environ: Mapping[str, str]) -> str:
    home = environ.get("GEMINI_CLI_HOME") or environ.get("HOME") or "~"
    return os.path.join(os.path.expanduser(home), ".gemini")


def _model(_endpoint: Endpoint, _environ: Mapping[str, str], model: str) -> list[Variable]:
    return [Variable("GEMINI_MODEL", model)] if model else []


def _obstacle(environ: Mapping[str, str], started_in: str) -> str:
    """Look at the login that its settings select: those of the folder win over the person's."""
    for place in (os.path.join(started_in, ".gemini"), folder(environ)):
        path = os.path.join(place, "settings.json")
        try:
            selected = _SELECTED.search(regular_file.read_text(path))
        except OSError:
            continue
        if selected is not None:
            found = selected[1]
            return "" if found == LOGIN else f"gemini-cli logs in by {found}, as {path} says"
    return "gemini-cli takes its kind of login from its settings alone, and none is selected there"


PROGRAM = Program(
    name="gemini",
    title="gemini-cli",
    commands=("gemini",),
    leads=(Lead("GOOGLE_GEMINI_BASE_URL", "{url}"), Lead("GEMINI_API_KEY", "{key}")),
    proxies=NODE_PROXIES,
    rivals=(
        rival(
            r"GOOGLE_API_KEY",
            "gemini-cli may send it in place of the gateway's key",
            is_key=True,
        ),
        rival(
            r"GOOGLE_GENAI_USE_(VERTEXAI|GCA)|GEMINI_CLI_USE_COMPUTE_ADC",
            "gemini-cli goes to Google with it",
            is_switch=True,
        ),
        rival(
            r"GOOGLE_VERTEX_BASE_URL|CODE_ASSIST_ENDPOINT|GOOGLE_CLOUD_ACCESS_TOKEN",
            "gemini-cli goes to Google with it",
        ),
        rival(
            r"GEMINI_CLI_CUSTOM_HEADERS|GEMINI_DEFAULT_AUTH_TYPE",
            "gemini-cli may log in by it in place of the gateway's key",
        ),
    ),
    more=_model,
    obstacle=_obstacle,
)
