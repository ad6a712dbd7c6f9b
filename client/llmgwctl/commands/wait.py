"""llmgwctl wait: return as soon as forwards are in a state."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose
from llmgwctl.api.waiting import SERVING, too_late, wait_until
from llmgwctl.cli.arguments import duration
from llmgwctl.errors import ClientError
from llmgwctl.wire import SERVING_STATES, Exit, State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from llmgwctl.wire import Status

DESCRIPTION = """\
Wait until a forward, or every forward that is not stopped, is in a state, and return at once
then. `serving` is ready or degraded. A daemon that is not running yet is waited for, too.

Exit status: 0 it is so, 1 it was not in time, 3 no daemon, 4 a person must act."""

EXAMPLES = (
    ("llmgwctl wait && claude", "start when everything is ready"),
    ("llmgwctl wait litellm --for serving --timeout 2m", "also when it serves by its fallback"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("forward", nargs="?", metavar="NAME", help="this one (else all)")
    parser.add_argument(
        "--for",
        dest="state",
        choices=(SERVING, *(str(state) for state in State)),
        default=str(State.READY),
        metavar="STATE",
        help="serving, ready (the default), degraded, reconnecting, blocked, starting or stopped",
    )
    parser.add_argument(
        "--timeout", type=duration, default=30.0, metavar="TIME", help="give up then (30s)"
    )


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)

    def is_so(states: Mapping[str, str]) -> bool:
        return _is_so(states, arguments)

    try:
        wait_until(client, is_so, time.monotonic() + arguments.timeout, arguments.forward)
    except TimeoutError:
        raise _too_late(client.status(), arguments) from None
    return Exit.OK


def _is_so(states: Mapping[str, str], arguments: argparse.Namespace) -> bool:
    if not arguments.forward and arguments.state != State.STOPPED:
        states = {name: state for name, state in states.items() if state != State.STOPPED}
    wanted = SERVING_STATES if arguments.state == SERVING else (arguments.state,)
    return bool(states) and all(state in wanted for state in states.values())


def _too_late(status: Status, arguments: argparse.Namespace) -> ClientError:
    """Say of the first forward that is not as wanted what it is instead, and why."""
    name = arguments.forward
    for forward in [choose(status, name)] if name else status["forwards"]:
        if not _is_so({forward["name"]: forward["state"]}, arguments):
            return too_late(forward, arguments.state, arguments.timeout)
    return ClientError("not-so", f"no forward was {arguments.state} in time", "llmgwctl status")
