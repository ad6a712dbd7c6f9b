"""What a program is asked to change, for the tests that look at the answer."""

from __future__ import annotations

from llmgwctl.gateway.changes import Change, Wish, changes
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.gateway.programs.table import chosen

URL = "http://localhost:4000"
ENDPOINT = Endpoint(URL, "sk-gateway")
LEFTOVERS = {
    "ANTHROPIC_CUSTOM_HEADERS": "x-team: blue\nx-litellm-api-key: Bearer sk-old",
    "HTTPS_PROXY": "http://proxy.corp:3128",
    "LITELLM_MASTER_KEY": "sk-master",
    "ANTHROPIC_API_KEY": "sk-ant-mine",
}


PLAIN = Wish()


def of(
    name: str, environ: dict[str, str], wish: Wish = PLAIN, endpoint: Endpoint = ENDPOINT
) -> list[Change]:
    return changes(chosen(name), environ, endpoint, wish)


def values(found: list[Change]) -> dict[str, str | None]:
    return {each.name: each.value for each in found}


def sentences(found: list[Change]) -> list[str]:
    return [each.sentence for each in found if each.sentence]
