"""gemini-cli, which can ask a LiteLLM in Google's dialect.

Led by GOOGLE_GEMINI_BASE_URL alone it takes itself for logged in to a "gateway", and then refuses
that login (0.61): its settings must say that the login is a key, which `setup` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.gateway.programs.program import (
    NODE_PROXIES,
    Endpoint,
    Lead,
    Program,
    Variable,
    rival,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def _model(_endpoint: Endpoint, _environ: Mapping[str, str], model: str) -> list[Variable]:
    return [Variable("GEMINI_MODEL", model)] if model else []


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
            r"GOOGLE_GENAI_USE_(VERTEXAI|GCA)|GOOGLE_VERTEX_BASE_URL|CODE_ASSIST_ENDPOINT",
            "gemini-cli goes to Google with it",
        ),
    ),
    more=_model,
)
