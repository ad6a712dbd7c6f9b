"""gemini-cli, which can ask a LiteLLM in Google's dialect.

Led by GOOGLE_GEMINI_BASE_URL alone it takes itself for logged in to a "gateway", and then refuses
that login (0.61): its settings must say that the login is a key, which `setup` does. A login with
Google in them beats all variables.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llmgwctl.gateway.programs.program import (
    NO,
    NODE_PROXIES,
    Endpoint,
    Lead,
    Program,
    Variable,
    rival,
)
from llmgwctl.rules import jsonc, regular_file
from llmgwctl.rules.models import is_offered, preferred

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOGIN = "gemini-api-key"


def folder(environ: Mapping[str, str]) -> str:
    home = environ.get("GEMINI_CLI_HOME") or environ.get("HOME") or "~"
    return os.path.join(os.path.expanduser(home), ".gemini")


def _model(endpoint: Endpoint, environ: Mapping[str, str], model: str) -> list[Variable]:
    """Name a model where gemini-cli would ask for its own default: which that is, is not known."""
    held = environ.get("GEMINI_MODEL") or _setting(_places(environ, os.getcwd()), "model", "name")
    offered = endpoint.models or ()
    if not model and not is_offered(held or _ANY, offered):
        newest = preferred(offered, ("gemini",))
        model = newest if "gemini" in newest else ""
    return [Variable("GEMINI_MODEL", model)] if model else []


def _obstacle(environ: Mapping[str, str], started_in: str) -> str:
    """Look at the login that its settings select: those of the folder win over the person's."""
    for path in _places(environ, started_in):
        found = _setting([path], "security", "auth", "selectedType")
        if found:
            return "" if found == LOGIN else f"gemini-cli logs in by {found}, as {path} says"
    return "gemini-cli takes its kind of login from its settings alone, and none is selected there"


def _places(environ: Mapping[str, str], started_in: str) -> list[str]:
    """List its settings files, the one that wins first."""
    folders = (os.path.join(started_in, ".gemini"), folder(environ))
    return [os.path.join(each, "settings.json") for each in folders]


def _setting(paths: Sequence[str], *keys: str) -> str:
    """Give the first value that the files have there."""
    for path in paths:
        try:
            held = jsonc.loads(regular_file.read_text(path))
        except (OSError, ValueError, RecursionError):
            continue
        for key in keys:
            held = held.get(key) if isinstance(held, dict) else None
        if isinstance(held, str) and held:
            return held
    return ""


# No model's name: only a wildcard offers it, and then the default, too.
_ANY = "gemini-0"


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
            harmless=NO,
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
