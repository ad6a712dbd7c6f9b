"""aider goes through LiteLLM's SDK: OpenAI's variables, and models as openai/NAME.

Its own variables win over its configuration files, and those over OpenAI's.
"""

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


MODELS = ("AIDER_MODEL", "AIDER_WEAK_MODEL", "AIDER_EDITOR_MODEL")


def _models(endpoint: Endpoint, environ: Mapping[str, str], model: str) -> list[Variable]:
    """Have what the gateway offers be asked of it, and not of the provider that made it."""
    named = {name: environ.get(name, "") for name in MODELS}
    if model:
        named["AIDER_MODEL"] = model
    led = [name for name, each in named.items() if each == model or each in (endpoint.models or ())]
    return [Variable(name, f"openai/{named[name]}") for name in led if named[name]]


def _arguments(endpoint: Endpoint, _model: str) -> list[str]:
    """Beat the .env files too, which aider lets win over the variables that it was started with."""
    address = f"{endpoint.url}/v1"
    return ["--openai-api-base", address, "--set-env", f"OPENAI_BASE_URL={address}"]


PROGRAM = Program(
    name="aider",
    title="aider",
    commands=("aider",),
    leads=(
        Lead("OPENAI_BASE_URL", "{url}/v1"),
        Lead("OPENAI_API_BASE", "{url}/v1"),
        Lead("AIDER_OPENAI_API_BASE", "{url}/v1"),
        Lead("OPENAI_API_KEY", "{key}"),
        Lead("AIDER_OPENAI_API_KEY", "{key}"),
    ),
    proxies=USUAL_PROXIES,
    rivals=(
        rival(r"AIDER_SET_ENV|(AIDER_)?OPENAI_API_TYPE", "it can lead aider elsewhere"),
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
    more=_models,
    arguments=_arguments,
)
