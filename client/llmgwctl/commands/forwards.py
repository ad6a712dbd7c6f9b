"""llmgwctl start, stop and restart: one forward at a time, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.api import forward_choice
from llmgwctl.api.client import Client
from llmgwctl.errors import UsageError
from llmgwctl.wire import ApiPath, Exit

if TYPE_CHECKING:
    import argparse

EXAMPLES = (
    ("llmgwctl start litellm", "bind its port again and connect"),
    ("llmgwctl stop litellm", "streams in flight may end; then its port is free"),
    ("llmgwctl restart litellm", "drop its tunnels and connect anew"),
)
_PATHS = {
    "start": ApiPath.FORWARD_START,
    "stop": ApiPath.FORWARD_STOP,
    "restart": ApiPath.FORWARD_RESTART,
}
# To stop may mean to let streams end first.
_PATIENCE_S = 40.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("forward", metavar="NAME", nargs="?", help="the forward (if there are two)")


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    forward = _chosen(client, arguments)
    after = client.post(_PATHS[arguments.verb], forward, timeout_s=_PATIENCE_S)
    print(f"{after['name']} is {after['state']}")
    return Exit.OK


def _chosen(client: Client, arguments: argparse.Namespace) -> str:
    status = client.status()
    forwards = status["forwards"]
    if arguments.forward is None and len(forwards) > 1:
        names = ", ".join(each["name"] for each in forwards)
        raise UsageError(f"which forward to {arguments.verb}?", f"name one: {names}")
    return forward_choice.forward(status, arguments.forward)["name"]
