"""llmgwctl start, stop and restart: one forward at a time, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose
from llmgwctl.wire import ApiPath, Exit

if TYPE_CHECKING:
    import argparse

EXAMPLES = (
    ("llmgwctl start litellm", "bind its port again and connect"),
    ("llmgwctl stop litellm", "give its port back; requests under way are cut"),
    ("llmgwctl restart litellm", "connect again; requests under way end on the old connections"),
)
_PATHS = {
    "start": ApiPath.FORWARD_START,
    "stop": ApiPath.FORWARD_STOP,
    "restart": ApiPath.FORWARD_RESTART,
}
# Above the 30 s after which the daemon itself gives up, so that its sentence arrives.
_PATIENCE_S = 40.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "forward", metavar="NAME", nargs="?", help="the forward; needed where there are several"
    )


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    forward = choose(client.status(), arguments.forward)["name"]
    after = client.post(_PATHS[arguments.verb], forward, timeout_s=_PATIENCE_S)
    print(f"{after['name']} is {after['state']}")
    return Exit.OK
