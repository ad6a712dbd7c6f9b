"""opencode takes a provider from its configuration, which one variable may hold as JSON.

The provider `openai` is led to the gateway as well: OPENAI_API_KEY alone switches it on, and it
would send the gateway's key to api.openai.com.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from llmgwctl.gateway.programs import opencode_files
from llmgwctl.gateway.programs.program import (
    USUAL_PROXIES,
    Endpoint,
    Lead,
    Program,
    Variable,
    rival,
)
from llmgwctl.rules.key_headers import KEY_HEADERS
from llmgwctl.rules.models import preferred

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROVIDER, OPENAI = "llmgw", "openai"
_KEY = "{env:OPENAI_API_KEY}"
CONTENT = "OPENCODE_CONFIG_CONTENT"


def providers(url: str, models: Sequence[str]) -> dict[str, Any]:
    """Give the `provider` object of opencode's configuration; the key stays in the variable.

    The provider `openai` keeps of its own models what the gateway offers: else opencode, asked
    for none, would take the newest of them.
    """
    named = [name for name in models if "*" not in name]
    openai: dict[str, Any] = {} if named != list(models) or not named else {"whitelist": named}
    options = {"baseURL": f"{url}/v1", "apiKey": _KEY}
    return {
        PROVIDER: {
            "npm": "@ai-sdk/openai-compatible",
            "name": "llmgw",
            "options": options,
            "models": {name: {} for name in named},
        },
        OPENAI: {"options": dict(options), **openai},
    }


def _content(endpoint: Endpoint, environ: Mapping[str, str], model: str) -> list[Variable]:
    try:
        content = json.loads(environ.get(CONTENT) or "{}")
    except ValueError:
        content = {}
    if not isinstance(content, dict):
        content = {}
    models = list(dict.fromkeys([*(endpoint.models or ()), *([model] if model else [])]))
    held = opencode_files.merge(opencode_files.held(environ, os.getcwd()), content)
    changed, sentence = over(held, models, model)
    content = opencode_files.merge(content, changed)
    content = opencode_files.merge(content, {"provider": providers(endpoint.url, models)})
    # A login with another provider, kept in opencode's own files, would be used.
    content["enabled_providers"] = [PROVIDER, OPENAI]
    return [Variable(CONTENT, json.dumps(content), sentence=sentence)]


def over(
    held: Mapping[str, Any], models: Sequence[str], model: str = ""
) -> tuple[dict[str, Any], str]:
    """Give what must be said over a configuration for the gateway to be asked, and a sentence.

    A model of another provider, opencode's or an agent's, is not found; a provider may be switched
    off; a header of the person's may hold another key.
    """
    changed: dict[str, Any] = {}
    named = [name for name in models if "*" not in name]
    was = str(held.get("model") or "")
    chosen = model or _instead_of(was, named)
    if chosen:
        changed["model"] = f"{PROVIDER}/{chosen}"
    for table in ("agent", "mode"):
        for name, agent in _members(held, table):
            its = _instead_of(str(agent.get("model") or ""), named)
            if its:
                changed.setdefault(table, {})[name] = {"model": f"{PROVIDER}/{its}"}
    off = held.get("disabled_providers")
    if isinstance(off, list) and set(map(str, off)) & {PROVIDER, OPENAI}:
        changed["disabled_providers"] = [each for each in off if each not in (PROVIDER, OPENAI)]
    for name, provider in _members(held, "provider"):
        headers = _key_headers(provider) if name in (PROVIDER, OPENAI) else {}
        if headers:
            changed.setdefault("provider", {})[name] = {"options": {"headers": headers}}
    sentence = ""
    if chosen and not model:
        sentence = f"opencode's model is {chosen}, of the gateway, and was {was}"
    return changed, sentence


def _instead_of(held: str, named: Sequence[str]) -> str:
    """Give the model to ask for where another provider's is named, or one not offered."""
    provider, _, bare = held.partition("/")
    if not bare or not named or (provider in (PROVIDER, OPENAI) and bare in named):
        return ""
    return bare if bare in named else preferred(named)


def _members(held: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
    table = held.get(name)
    pairs = table.items() if isinstance(table, dict) else ()
    return [(key, each) for key, each in pairs if isinstance(each, dict)]


def _key_headers(provider: Mapping[str, Any]) -> dict[str, str]:
    """Give the headers by which LiteLLM takes a key, each with the gateway's."""
    options = provider.get("options")
    headers = options.get("headers") if isinstance(options, dict) else None
    names = headers if isinstance(headers, dict) else ()
    return {name: f"Bearer {_KEY}" for name in names if name.lower() in KEY_HEADERS}


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
