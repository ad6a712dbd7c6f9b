"""llmgwctl health: whether the forwards serve, for scripts and monitors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose
from llmgwctl.errors import Refused
from llmgwctl.rules.printable import clean
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse

    from llmgwctl.wire import ForwardHealth

DESCRIPTION = """\
Say whether every forward that is not stopped serves, or whether one does: at all its addresses,
with a gateway behind it that answers as one that is well.

Exit status: 0 yes, 1 no, 3 no daemon."""

EXAMPLES = (
    ("llmgwctl health", "of all forwards"),
    ("llmgwctl health litellm && echo fine", "of one"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("forward", nargs="?", metavar="NAME", help="this one (else all)")
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as JSON")


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    try:
        health = client.health(arguments.forward)
    except Refused as error:
        if error.code == "forward-unknown":
            choose(client.status(), arguments.forward)
        raise
    if arguments.json:
        print(json.dumps(health, indent=2))
    else:
        words = ", ".join(_words(each) for each in health["forwards"] if _is_failing(each))
        print("healthy" if health["healthy"] else f"not healthy: {words or 'nothing to serve'}")
    return Exit.OK if health["healthy"] else Exit.NOT_SO


def _is_failing(forward: ForwardHealth) -> bool:
    # An older daemon names no problem.
    return not forward["serves"] or bool(forward.get("problem"))


def _words(forward: ForwardHealth) -> str:
    problem = clean(forward.get("problem", "")).rstrip(".")
    return f"{clean(forward['name'])} is {clean(forward['state'])}" + (
        f" ({problem})" if problem else ""
    )
