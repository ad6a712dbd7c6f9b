"""Whether the key is the gateway's master key, and how to have one that may do less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmgwctl.rules.litellm_answers import fault_of, has_no_database
from llmgwctl.wire import CheckState
from llmgwd.doctor.checks import Finding, info, ok
from llmgwd.doctor.gateway import ask

if TYPE_CHECKING:
    from llmgwd.doctor.context import CheckContext
    from llmgwd.gateway.answer import Answer

_MASTER: Final = "the master key: it may do anything, and has no budget"
_CURE: Final = (
    "make one with a budget, and have it used: "
    '[gateway] key = { file = "~/.config/llmgw/key" } in the configuration'
)
_NO_DATABASE: Final = "the gateway has no database, so it knows no other key"
_DATABASE: Final = "Give the gateway a database (general_settings.database_url): then it has more."


async def check_key_rights(context: CheckContext) -> Finding:
    """Ask the gateway what it knows of the key; of its master key it has no record."""
    assert context.key is not None
    address = f"localhost:{context.forward.listen[0].port}"
    return rights(await ask(context, "/key/info", context.key.value), address)


def rights(answer: Answer, address: str) -> Finding:
    """Judge the answer to GET /key/info of a key that the gateway accepts. Pure."""
    if answer.status == 404 and fault_of(answer.content).kind == "not_found_error":
        return Finding(CheckState.INFO, _MASTER, _CURE, _another(address))
    if has_no_database(answer.content):
        return Finding(CheckState.INFO, _MASTER, _NO_DATABASE, _DATABASE)
    record = answer.json.get("info") if isinstance(answer.json, dict) else None
    if answer.status != 200 or not isinstance(record, dict):
        # Where LiteLLM's parts are split, another service knows.
        return info("the gateway does not say")
    budget = record.get("max_budget")
    if budget is None:
        return info("a key of its own, without a budget")
    return ok(f"a key of its own, with a budget of ${budget:g}")


def _another(address: str) -> str:
    """Give the command that makes a key with a budget.

    No key stands in a command line, where every user of the machine could read it: printf is the
    shell's own.
    """
    return f"""(umask 077; mkdir -p ~/.config/llmgw
  printf 'Authorization: Bearer %s' "$(llmgwctl key)" |
  curl -sS http://{address}/key/generate -H @- -H 'Content-Type: application/json' \\
    -d '{{"key_alias": "llmgw", "max_budget": 20, "budget_duration": "30d"}}' |
  jq -r .key > ~/.config/llmgw/key)"""
