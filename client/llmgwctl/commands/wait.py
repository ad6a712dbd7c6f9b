"""llmgwctl wait: return as soon as forwards are in a state, told by the daemon's events."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose
from llmgwctl.cli.arguments import duration
from llmgwctl.errors import ClientError, NeedsPerson, NotRunning
from llmgwctl.show.table import visible
from llmgwctl.wire import SERVING_STATES, EventKind, Exit, State

if TYPE_CHECKING:
    import argparse

    from llmgwctl.wire import ForwardStatus, Status

DESCRIPTION = """\
Wait until a forward, or every forward that is not stopped, is in a state, and return at once
then. `serving` is ready or degraded. A daemon that is not running yet is waited for, too.

Exit status: 0 it is so, 1 it was not in time, 3 no daemon, 4 a person must act."""

EXAMPLES = (
    ("llmgwctl wait && claude", "start when everything is ready"),
    ("llmgwctl wait litellm --for serving --timeout 2m", "or when it serves by its fallback"),
)

_SERVING = "serving"
# Nothing tells that a daemon starts, so its socket is tried; well within the 100 ms that a
# script may expect.
_RETRY_S = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("forward", nargs="?", metavar="NAME", help="this one (else all)")
    parser.add_argument(
        "--for",
        dest="state",
        choices=(_SERVING, *(str(state) for state in State)),
        default=str(State.READY),
        metavar="STATE",
        help="serving, ready (the default), degraded, reconnecting, blocked, starting or stopped",
    )
    parser.add_argument(
        "--timeout", type=duration, default=30.0, metavar="TIME", help="give up then (30s)"
    )


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    until = time.monotonic() + arguments.timeout
    absence: NotRunning | None = None
    while True:
        try:
            _wait(client, arguments, until)
            return Exit.OK
        except NotRunning as error:
            if absence is None and arguments.timeout > 0:
                print("llmgwctl: llmgwd is not running; waiting for it", file=sys.stderr)
            absence = error
        except TimeoutError:
            raise _too_late(client, arguments) from None
        if time.monotonic() >= until:
            raise absence
        time.sleep(_RETRY_S)


def _wait(client: Client, arguments: argparse.Namespace, until: float) -> None:
    """Return when it is so.

    Raises:
        TimeoutError: it was not, in time.
        NotRunning: the daemon is not there, or has gone.
    """
    states: dict[str, str] = {}
    for event in client.events(until=until):
        if event["kind"] == EventKind.SNAPSHOT:
            states = _states(event["status"], arguments.forward)
        elif event["kind"] == EventKind.STATE_CHANGED and event.get("forward") in states:
            states[event["forward"]] = event["state"]
        if _is_so(states, arguments):
            return
        if time.monotonic() >= until:
            raise TimeoutError
    raise NotRunning


def _states(status: Status, name: str | None) -> dict[str, str]:
    chosen = [choose(status, name)] if name else status["forwards"]
    return {each["name"]: each["state"] for each in chosen}


def _is_so(states: dict[str, str], arguments: argparse.Namespace) -> bool:
    if not arguments.forward and arguments.state != State.STOPPED:
        states = {name: state for name, state in states.items() if state != State.STOPPED}
    wanted = SERVING_STATES if arguments.state == _SERVING else (arguments.state,)
    return bool(states) and all(state in wanted for state in states.values())


def _too_late(client: Client, arguments: argparse.Namespace) -> ClientError:
    """Say what it is instead, and why."""
    status = client.status()
    states = _states(status, arguments.forward)
    for forward in status["forwards"]:
        name = forward["name"]
        if name in states and not _is_so({name: forward["state"]}, arguments):
            return _complaint(forward, arguments)
    raise ClientError("not-so", f"no forward was {arguments.state} in time", "llmgwctl status")


def _complaint(forward: ForwardStatus, arguments: argparse.Namespace) -> ClientError:
    causes = visible(forward["conditions"])
    why = f": {causes[0]['summary'].rstrip('.')}" if causes else ""
    remedy = causes[0]["remedy"] if causes else "see: llmgwctl status"
    message = f"{forward['name']} is {forward['state']}, not {arguments.state}, " + (
        f"after {arguments.timeout:g} s{why}"
    )
    if forward["state"] == State.BLOCKED:
        return NeedsPerson("not-so", message, remedy)
    return ClientError("not-so", message, remedy)
