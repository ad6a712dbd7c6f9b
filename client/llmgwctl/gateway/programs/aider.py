"""aider goes through LiteLLM's SDK: OpenAI's variables, and models as openai/NAME.

Its command line wins over its .env files, these over its variables, those over its settings, and
all over OpenAI's. A model of another provider is asked of that provider, with whatever key of it
lies in a file: so the models are led on the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.gateway.claude_models import by_family, family_of
from llmgwctl.gateway.programs import aider_files
from llmgwctl.gateway.programs.command_line import option, with_option
from llmgwctl.gateway.programs.program import (
    USUAL_PROXIES,
    Endpoint,
    Lead,
    Line,
    Program,
    Start,
    Variable,
    rival,
)
from llmgwctl.rules.models import is_offered, preferred

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# By the option that names the same; the main model is the first.
ROLES = {
    "model": "AIDER_MODEL",
    "weak-model": "AIDER_WEAK_MODEL",
    "editor-model": "AIDER_EDITOR_MODEL",
}
MODELS = tuple(ROLES.values())
# What aider takes by itself where it has a key of OpenAI's.
_OWN_DEFAULT = "openai/gpt-4o"


def _models(endpoint: Endpoint, environ: Mapping[str, str], model: str) -> list[Variable]:
    """Have what the gateway offers be asked of it, and not of the provider that made it."""
    named = {name: environ.get(name, "") for name in MODELS}
    if model:
        named["AIDER_MODEL"] = model
    led = [name for name, each in named.items() if each == model or each in (endpoint.models or ())]
    return [Variable(name, f"openai/{named[name]}") for name in led if named[name]]


def _line(start: Start) -> Line:
    """Lead past the .env files too, which aider lets win over the variables it was started with."""
    address = f"{start.endpoint.url}/v1"
    words, sentences = _with_models(start)
    if "AIDER_OPENAI_API_KEY" in aider_files.variables(start):
        sentences.append("a .env file sets AIDER_OPENAI_API_KEY, and aider sends it: remove it")
    led = ["--openai-api-base", address, "--set-env", f"OPENAI_BASE_URL={address}"]
    return Line([*led, *words], sentences)


def _with_models(start: Start) -> tuple[list[str], list[str]]:
    in_env, in_settings = aider_files.variables(start), aider_files.settings(start)
    words, sentences, main = list(start.words), [], ""
    for role, variable in ROLES.items():
        given = option(words, f"--{role}")
        found = (given, in_env.get(variable), start.environ.get(variable), in_settings.get(role))
        held = next((each for each in found if each), "")
        if start.model and role == "model" and not given:
            held = start.model
        if role != "model" and not held:
            continue
        led = led_model(held, start.endpoint.models) or main or default(start.endpoint.models)
        main = main or led
        if led == given or (led == start.environ.get(variable) and variable not in in_env):
            continue
        words = with_option(words, f"--{role}", led)
        if held != start.model or not held:
            was = f"and was {held}" if held else "as none is named"
            sentences.append(f"aider's {role} is {led}, {was}")
    return words, sentences


def led_model(name: str, offered: Sequence[str] | None) -> str:
    """Give a model's name so that aider asks the gateway for it; "" where that has none such."""
    bare = name.rpartition("/")[2]
    if not name or name.startswith("openai/"):
        return name
    if offered is None:
        return f"openai/{bare}"
    offering = next((each for each in (name, bare) if is_offered(each, offered)), "")
    offering = offering or by_family(offered).get(family_of(name), "")
    return f"openai/{offering}" if offering else ""


def default(offered: Sequence[str] | None) -> str:
    """Give the model that aider takes by itself, or one of the gateway's where it lacks that."""
    if not offered or is_offered(_OWN_DEFAULT.rpartition("/")[2], offered):
        return _OWN_DEFAULT
    chosen = preferred(offered)
    return f"openai/{chosen}" if chosen else _OWN_DEFAULT


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
            r"(AIDER_)?OPENAI_(ORG_ID|ORGANIZATION(_ID)?|API_DEPLOYMENT_ID)",
            "aider sends what it names of an account of OpenAI's",
        ),
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
    line=_line,
)
