"""opencode takes a provider from its configuration, which one variable may hold as JSON.

The provider `openai` is led to the gateway as well: OPENAI_API_KEY alone switches it on, and it
would send the gateway's key to api.openai.com.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmgwctl.gateway.programs.program import (
    USUAL_PROXIES,
    Endpoint,
    Lead,
    Program,
    Variable,
    rival,
)

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
    if model:
        content["model"] = f"{PROVIDER}/{model}"
    return [Variable(CONTENT, json.dumps(content))]


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
