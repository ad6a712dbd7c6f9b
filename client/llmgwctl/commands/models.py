"""llmgwctl models: what the gateway serves under which names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmgwctl.api.forward_choice import add_forward
from llmgwctl.cli.arguments import add_wait
from llmgwctl.gateway.client import odd
from llmgwctl.gateway.destination import gateway
from llmgwctl.rules.models import is_offered
from llmgwctl.rules.nearest import nearest
from llmgwctl.rules.numbers import number
from llmgwctl.rules.printable import clean
from llmgwctl.show.charts import count
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

DESCRIPTION = "List the models that the key may use, by the names that requests must give."

EXAMPLES = (
    ("llmgwctl models", "their names, one a line"),
    ("llmgwctl models --long", "what is behind each name, context size and price"),
    ("llmgwctl models --check claude-sonnet-4-5", "is there one of that name? exit 0 or 1"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", metavar="NAME", help="say whether this one is there")
    parser.add_argument("--long", "-l", action="store_true", help="what is behind each name")
    parser.add_argument("--json", action="store_true", help="the gateway's own answer")
    add_wait(parser)
    add_forward(parser)


def run(arguments: argparse.Namespace) -> int:
    asked = gateway(arguments)
    if arguments.long:
        known = entries_of(asked.ask("/model/info"), "/model/info")
        return _print_long(known, as_json=arguments.json)
    models = entries_of(asked.ask("/v1/models"), "/v1/models")
    names = sorted(clean(each["id"]) for each in models if isinstance(each.get("id"), str))
    if arguments.check is not None:
        return _check(arguments.check, names, as_json=arguments.json)
    if arguments.json:
        print(json.dumps(models, indent=2))
    else:
        print("\n".join(names) or "the key may use no model")
    return Exit.OK


def _check(name: str, names: Sequence[str], *, as_json: bool) -> int:
    is_present = is_offered(name, names)
    near = [] if is_present else nearest(name, names)
    if as_json:
        print(json.dumps({"model": name, "is_present": is_present, "near": near}))
    elif is_present:
        print(f"{name} is there")
    else:
        offer = f"did you mean {' or '.join(near)}" if near else "llmgwctl models lists them"
        print(f"there is no model {clean(name)} for this key; {offer}")
    return Exit.OK if is_present else Exit.NOT_SO


def entries_of(body: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """Give the objects of a list of LiteLLM's; what is none among them is left out.

    Raises:
        ClientError: there is no list.
    """
    listed = body.get("data")
    if not isinstance(listed, list):
        raise odd(path)
    return [each for each in listed if isinstance(each, dict)]


def _print_long(models: Sequence[dict[str, Any]], *, as_json: bool) -> int:
    entries = sorted(models, key=lambda each: _text(each.get("model_name")))
    if as_json:
        print(json.dumps(entries, indent=2))
        return Exit.OK
    rows = [("NAME", "BEHIND IT", "CONTEXT", "$/M IN", "$/M OUT"), *map(_row, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for name, behind, context, price_in, price_out in rows:
        print(
            f"{name:{widths[0]}}  {behind:{widths[1]}}  {context:>{widths[2]}}  "
            f"{price_in:>{widths[3]}}  {price_out:>{widths[4]}}"
        )
    return Exit.OK


def _row(entry: dict[str, Any]) -> tuple[str, str, str, str, str]:
    known, behind = entry.get("model_info"), entry.get("litellm_params")
    known = known if isinstance(known, dict) else {}
    context = number(known.get("max_input_tokens"))
    return (
        _text(entry.get("model_name")),
        _text(behind.get("model")) if isinstance(behind, dict) else "",
        "" if context is None else count(context),
        _price(known.get("input_cost_per_token")),
        _price(known.get("output_cost_per_token")),
    )


def _price(per_token: object) -> str:
    amount = number(per_token)
    return "" if amount is None else f"{amount * 1e6:.2f}"


def _text(value: object) -> str:
    return clean(value) if isinstance(value, str) else "?"
