"""aider goes through LiteLLM's SDK: OpenAI's older variables, and models as openai/NAME."""

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


def _model(_endpoint: Endpoint, _environ: Mapping[str, str], model: str) -> list[Variable]:
    return [Variable("AIDER_MODEL", f"openai/{model}")] if model else []


PROGRAM = Program(
    name="aider",
    title="aider",
    commands=("aider",),
    leads=(Lead("OPENAI_API_BASE", "{url}/v1"), Lead("OPENAI_API_KEY", "{key}")),
    proxies=USUAL_PROXIES,
    rivals=(
        rival(r"AIDER_OPENAI_API_BASE", "aider takes its address from it"),
        rival(
            r"AIDER_(\w+_)?API_KEY",
            "aider sends it in place of the gateway's key",
            is_key=True,
        ),
        # Without a model, aider takes the first provider of a list of its own that has a key.
        rival(
            r"(ANTHROPIC|OPENROUTER|DEEPSEEK|GEMINI)_API_KEY",
            "aider may choose that provider's model, and go there",
        ),
    ),
    more=_model,
)
