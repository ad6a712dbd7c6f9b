"""llmgwctl start, stop and restart: one forward at a time, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose
from llmgwctl.errors import ClientError
from llmgwctl.rules.printable import clean
from llmgwctl.wire import Exit, State

if TYPE_CHECKING:
    import argparse

EXAMPLES = (
    ("llmgwctl start litellm", "bind its port again and connect"),
    ("llmgwctl stop litellm", "give its port back; requests under way are cut"),
    ("llmgwctl restart litellm", "connect again; requests under way end on the old connections"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "forward", metavar="NAME", nargs="?", help="the forward; needed where there are several"
    )


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    forward = choose(client.status(), arguments.forward)["name"]
    acts = {"start": client.start, "stop": client.stop, "restart": client.restart}
    after = acts[arguments.verb](forward)
    name, state = after["name"], after["state"]
    if arguments.verb == "restart" and state == State.STOPPED:
        raise ClientError("stopped", f"{name} is stopped", f"llmgwctl start {name}")
    print(clean(f"{name} is {state}"))
    return Exit.OK
