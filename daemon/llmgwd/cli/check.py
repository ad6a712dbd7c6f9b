"""`llmgwd check`: read the configuration and say what it comes to, without doing any of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llmgwd.config.key_source import Env

if TYPE_CHECKING:
    from llmgwd.config.model import Config


def report(config: Config, as_json: bool) -> str:
    """Render a configuration that was read without a mistake; no secret is in it."""
    if as_json:
        return json.dumps(outline(config))
    source = config.path if config.is_present else f"{config.path} is not there: defaults"
    lines = [f"  {each.name} on {', '.join(map(str, each.listen))}" for each in config.forwards]
    return "\n".join([f"{source}, no mistake", *(lines or ["  no forward"])])


def outline(config: Config) -> dict[str, object]:
    """Give what a service needs to know before the daemon runs."""
    return {
        "path": config.path,
        "is_present": config.is_present,
        "forwards": [
            {"name": each.name, "listen": [str(address) for address in each.listen]}
            for each in config.forwards
        ],
        "key_env": config.gateway.key.name if isinstance(config.gateway.key, Env) else None,
    }
