"""Claude Code: its variables, as the 2.1 program reads them, and its choice of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.gateway import claude_models
from llmgwctl.gateway.programs.program import (
    NO,
    NODE_PROXIES,
    Endpoint,
    Lead,
    Program,
    Rival,
    Variable,
    rival,
)
from llmgwctl.rules.key_headers import KEY_HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
_LOGIN = (
    r"(ANTHROPIC|CLAUDE_CODE)_(\w+_)?"
    r"(AUTH_TOKEN|ACCESS_TOKEN|OAUTH_TOKEN|REFRESH_TOKEN|IDENTITY_TOKEN|IDENTITY_TOKEN_FILE"
    r"|API_KEY_FILE_DESCRIPTOR|OAUTH_TOKEN_FILE_DESCRIPTOR|PROFILE)"
)


def key_headers_in(headers: str) -> list[str]:
    """Name the headers, one a line in the variable, that would give LiteLLM another key."""
    names = (line.partition(":")[0].strip() for line in headers.splitlines())
    return [name for name in names if name.lower() in KEY_HEADERS]


def other_headers(headers: str) -> list[str]:
    """Give the lines that are about something other than a key."""
    return [
        line
        for line in headers.splitlines()
        if line.strip() and line.partition(":")[0].strip().lower() not in KEY_HEADERS
    ]


def _models(endpoint: Endpoint, environ: Mapping[str, str], model: str) -> list[Variable]:
    chosen = claude_models.defaults(endpoint.models or (), environ, model)
    return [Variable(name, value) for name, value in chosen.items()]


def _provider(name: str, calls: str) -> Rival:
    effect = f"Claude Code calls {calls}, never this gateway"
    return rival(f"CLAUDE_CODE_USE_{name}", effect, harmless=NO)


PROGRAM = Program(
    name="claude",
    title="Claude Code",
    commands=("claude",),
    leads=(Lead("ANTHROPIC_BASE_URL", "{url}"), Lead("ANTHROPIC_AUTH_TOKEN", "{key}")),
    proxies=NODE_PROXIES,
    rivals=(
        rival(
            r"ANTHROPIC_(\w+_)?API_KEY|CLAUDE_API_KEY",
            "Claude Code may send it in place of the gateway's key",
            is_key=True,
        ),
        _provider("BEDROCK", "Amazon Bedrock"),
        _provider("VERTEX", "Google Vertex"),
        _provider("FOUNDRY", "Azure Foundry"),
        _provider(r"(MANTLE|GATEWAY|\w*AWS|\w*AZURE|\w*GCP)", "another provider"),
        rival(
            r"CLAUDE_CODE_(PROVIDER_MANAGED_BY_HOST|HOST_AUTH_ENV_VAR)",
            "Claude Code takes no address from its settings files",
        ),
        rival(r"ANTHROPIC_UNIX_SOCKET", "Claude Code asks this socket, never this gateway"),
        rival(
            r"(ANTHROPIC|CLAUDE_CODE)_(\w+_)?BASE_URL|CLAUDE_CODE_CUSTOM_OAUTH_URL",
            "it names another place for Claude Code to ask",
        ),
        rival(_LOGIN, "Claude Code may log in with it elsewhere"),
    ),
    more=_models,
)
