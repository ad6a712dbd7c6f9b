"""llmgwctl models: what the gateway serves under which names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmgwctl.api.forward_choice import add_forward
from llmgwctl.cli.arguments import add_wait
from llmgwctl.gateway.destination import gateway
from llmgwctl.rules.models import is_offered
from llmgwctl.rules.nearest import nearest
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
        return _print_long(asked.ask("/model/info"), as_json=arguments.json)
    listed = asked.ask("/v1/models")
    names = sorted(str(each.get("id")) for each in listed.get("data") or ())
    if arguments.check is not None:
        return _check(arguments.check, names, as_json=arguments.json)
    if arguments.json:
        print(json.dumps(listed["data"], indent=2))
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
        print(f"there is no model {name} for this key; {offer}")
    return Exit.OK if is_present else Exit.NOT_SO


def _print_long(info: Any, *, as_json: bool) -> int:
    entries = sorted(info.get("data") or (), key=lambda each: str(each.get("model_name")))
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
    known = entry.get("model_info") or {}
    context = known.get("max_input_tokens")
    return (
        str(entry.get("model_name")),
        str((entry.get("litellm_params") or {}).get("model", "")),
        "" if context is None else count(context),
        _price(known.get("input_cost_per_token")),
        _price(known.get("output_cost_per_token")),
    )


def _price(per_token: float | None) -> str:
    return "" if per_token is None else f"{per_token * 1e6:.2f}"
