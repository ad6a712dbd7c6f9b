"""The OpenAI SDKs, and programs built on them that read the SDKs' variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.gateway.programs.program import (
    USUAL_PROXIES,
    Endpoint,
    Lead,
    Program,
    Variable,
    rival,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPE, _OURS = "OPENAI_API_TYPE", "openai"
# With one of these beside OPENAI_API_KEY the module's own client of openai-python (3.57) takes
# neither, and fails.
_OTHER_KEYS = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AWS_BEARER_TOKEN_BEDROCK")


def _type(_endpoint: Endpoint, environ: Mapping[str, str], _model: str) -> list[Variable]:
    """Name the kind of account where the SDK could take another: those keys may be others'."""
    found = [name for name in _OTHER_KEYS if environ.get(name)]
    if not found or environ.get(_TYPE, "").lower() == _OURS:
        return []
    return [Variable(_TYPE, _OURS, sentence=f"{_TYPE} is {_OURS}: {found[0]} leads elsewhere")]


PROGRAM = Program(
    name="openai",
    title="OpenAI SDKs",
    commands=("llm", "openai"),
    leads=(
        Lead("OPENAI_BASE_URL", "{url}/v1"),
        # Read by aider and by openai-python before 1.0.
        Lead("OPENAI_API_BASE", "{url}/v1"),
        Lead("OPENAI_API_KEY", "{key}"),
    ),
    proxies=USUAL_PROXIES,
    rivals=(
        rival(_TYPE, "it can lead the SDK to Azure", harmless=(_OURS, "open_ai")),
        rival(r"OPENAI_(\w+_)?(HOST|ENDPOINT)", "it names another place to ask"),
        rival(
            r"OPENAI_(ORG_ID|ORGANIZATION|PROJECT_ID|CUSTOM_HEADERS)",
            "the SDK sends what it names of an account of OpenAI's",
        ),
    ),
    more=_type,
)
