"""Codex reads no OPENAI_BASE_URL: a provider of its configuration leads it, or `-c` on its line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llmgwctl.gateway.programs.program import USUAL_PROXIES, Endpoint, Lead, Program, rival
from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping

PROVIDER = "llmgw"
# Not the one of `setup`: what the command line names is merged with what the file has of that name,
# headers with an old key too.
_FOR_ONE_RUN = "llmgw-run"


def is_named(url: str, environ: Mapping[str, str]) -> bool:
    """Say whether its configuration names the address, in whatever part."""
    folder = environ.get("CODEX_HOME") or os.path.join(environ.get("HOME") or "~", ".codex")
    try:
        return f'"{url}/v1"' in regular_file.read_text(os.path.join(folder, "config.toml"))
    except OSError:
        return False


def _arguments(endpoint: Endpoint, model: str) -> list[str]:
    provider = (
        f'{{name="{PROVIDER}",base_url="{endpoint.url}/v1",'
        'env_key="OPENAI_API_KEY",wire_api="responses"}'
    )
    words = ["-c", f'model_provider="{_FOR_ONE_RUN}"']
    words += ["-c", f"model_providers.{_FOR_ONE_RUN}={provider}"]
    return [*words, "-c", f'model="{model}"'] if model else words


PROGRAM = Program(
    name="codex",
    title="Codex",
    commands=("codex",),
    leads=(Lead("OPENAI_API_KEY", "{key}"),),
    proxies=USUAL_PROXIES,
    rivals=(
        rival(
            r"CODEX_(API_KEY|ACCESS_TOKEN)",
            "Codex may send it in place of the gateway's key",
            is_key=True,
        ),
        rival(
            r"OPENAI_(IDENTITY_TOKEN\w*|FEDERATION_RULE_ID)",
            "Codex may log in with it elsewhere",
        ),
    ),
    arguments=_arguments,
)
