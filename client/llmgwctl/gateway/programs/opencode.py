"""opencode takes a provider from its configuration, which one variable may hold as JSON.

The provider `openai` is led to the gateway as well: OPENAI_API_KEY alone switches it on, and it
would send the gateway's key to api.openai.com.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from llmgwctl.gateway.programs.program import (
    USUAL_PROXIES,
    Endpoint,
    Lead,
    Program,
    Variable,
    rival,
)
from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROVIDER = "llmgw"
CONTENT = "OPENCODE_CONFIG_CONTENT"


def providers(url: str, models: Sequence[str]) -> dict[str, Any]:
    """Give the `provider` object of opencode's configuration; the key stays in the variable.

    The provider `openai` keeps of its own models what the gateway offers: else opencode, asked
    for none, would take the newest of them.
    """
    named = [name for name in models if "*" not in name]
    openai: dict[str, Any] = {} if named != list(models) or not named else {"whitelist": named}
    options = {"baseURL": f"{url}/v1", "apiKey": "{env:OPENAI_API_KEY}"}
    return {
        PROVIDER: {
            "npm": "@ai-sdk/openai-compatible",
            "name": "llmgw",
            "options": options,
            "models": {name: {} for name in named},
        },
        "openai": {"options": dict(options), **openai},
    }


def _content(endpoint: Endpoint, environ: Mapping[str, str], model: str) -> list[Variable]:
    try:
        content = json.loads(environ.get(CONTENT) or "{}")
    except ValueError:
        content = {}
    if not isinstance(content, dict):
        content = {}
    models = list(dict.fromkeys([*(endpoint.models or ()), *([model] if model else [])]))
    led = providers(endpoint.url, models)
    content["provider"] = {**content.get("provider", {}), **led}
    # A login with another provider, kept in opencode's own files, would be used.
    content["enabled_providers"] = list(led)
    chosen, sentence = _model(content, environ, models, model)
    if chosen:
        content["model"] = f"{PROVIDER}/{chosen}"
    return [Variable(CONTENT, json.dumps(content), sentence=sentence)]


def _model(
    content: Mapping[str, Any], environ: Mapping[str, str], models: Sequence[str], model: str
) -> tuple[str, str]:
    """Give the model to set, if one must be: that of another provider is none that is asked."""
    held = str(content.get("model") or _of_files(environ))
    provider, _, bare = held.partition("/")
    named = [name for name in models if "*" not in name]
    if model or not bare or provider in (PROVIDER, "openai") or not named:
        return model, ""
    chosen = bare if bare in named else named[0]
    return chosen, f"opencode's model is {chosen}, of the gateway, and was {held}"


def _of_files(environ: Mapping[str, str]) -> str:
    """Give the model that opencode's own files name, the last of them; one with comments names
    none here.
    """
    home = environ.get("HOME") or "~"
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    found = ""
    for path in (os.path.join(base, "opencode", "opencode.json"), "opencode.json"):
        try:
            held = json.loads(regular_file.read_text(path))
        except (OSError, ValueError, RecursionError):
            continue
        found = str(held.get("model") or found) if isinstance(held, dict) else found
    return found


PROGRAM = Program(
    name="opencode",
    title="opencode",
    commands=("opencode",),
    leads=(Lead("OPENAI_BASE_URL", "{url}/v1"), Lead("OPENAI_API_KEY", "{key}")),
    proxies=USUAL_PROXIES,
    rivals=(
        rival(
            r"OPENCODE_API_KEY|OPENCODE_AUTH_CONTENT",
            "opencode may use the account that it names",
        ),
    ),
    more=_content,
)
