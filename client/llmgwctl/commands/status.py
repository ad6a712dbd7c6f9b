"""llmgwctl status: the state of the forwards as a table, a line, JSON or a live view."""

from __future__ import annotations

import time

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose
from llmgwctl.cli.arguments import prints_colour
from llmgwctl.errors import NotRunning
from llmgwctl.show.status import short, table
from llmgwctl.show.terminal import detect
from llmgwctl.wire import SERVING_STATES, Exit, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from llmgwctl.wire import ForwardStatus, Status

DESCRIPTION = """\
Show the forwards: local address, where it leads, since when, and below each what is wrong
and the remedy. With a name, show one forward layer by layer.

Exit status: 0 all serve, 1 one does not (yet), 3 no daemon, 4 a person must act."""

EXAMPLES = (
    ("llmgwctl status", "a table of all forwards"),
    ("llmgwctl status litellm", "one forward, layer by layer"),
    ("llmgwctl status --short", "one line, for a prompt, tmux or a status bar"),
    ("llmgwctl status --watch", "a live view"),
    ("llmgwctl status --json", "everything, for scripts"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("forward", nargs="?", metavar="NAME", help="show this forward in full")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the daemon's answer as JSON")
    form.add_argument("--short", action="store_true", help="print one line, no colours")
    form.add_argument("-w", "--watch", action="store_true", help="show it live, until q or Ctrl-C")


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    if arguments.short:
        return _print_short(client, arguments)
    if arguments.watch:
        from llmgwctl.show.live import watch

        return watch(client, arguments.forward, prints_colour(arguments.color))
    status = client.status()
    chosen = [choose(status, arguments.forward)] if arguments.forward else None
    if arguments.json:
        _print_json(status, chosen)
    else:
        _print_text(status, chosen, arguments)
    return exit_status(status["forwards"] if chosen is None else chosen)


def exit_status(forwards: list[ForwardStatus]) -> int:
    """Give the exit status; a forward stopped by the user counts only where all are stopped."""
    wanted = [each for each in forwards if each["state"] != State.STOPPED]
    if any(each["state"] == State.BLOCKED for each in wanted):
        return Exit.NEEDS_PERSON
    is_served = bool(wanted) and all(each["state"] in SERVING_STATES for each in wanted)
    return Exit.OK if is_served else Exit.NOT_SO


def _print_json(status: Status, chosen: list[ForwardStatus] | None) -> None:
    import json

    print(json.dumps(status if chosen is None else chosen[0], indent=2))


def _print_text(
    status: Status, chosen: list[ForwardStatus] | None, arguments: argparse.Namespace
) -> None:
    terminal = detect(prints_colour(arguments.color))
    if chosen is None:
        lines = table(status, terminal, time.time())
    else:
        from llmgwctl.show.forward import daemon_line, layers

        now = time.time()
        lines = [*layers(chosen[0], terminal, now), "", daemon_line(status, terminal, now)]
    print("\n".join(lines))


def _print_short(client: Client, arguments: argparse.Namespace) -> int:
    """Print one line in any case: a prompt has no room for an error."""
    terminal = detect(arguments.color == "always")
    try:
        status = client.status()
    except NotRunning:
        stopped = State.STOPPED
        print(terminal.paint_state(f"{terminal.state_glyph(stopped)} llmgwd off", stopped))
        return Exit.UNREACHABLE
    forwards = status["forwards"]
    if arguments.forward:
        forwards = [choose(status, arguments.forward)]
    print(short(forwards, terminal))
    return exit_status(forwards)
