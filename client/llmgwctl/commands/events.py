"""llmgwctl events: past events from the daemon's journal, and new ones as they happen."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.following import follow
from llmgwctl.cli.arguments import duration, prints_colour
from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.show.events import event_lines
from llmgwctl.show.incidents import Incidents
from llmgwctl.show.terminal import detect, span
from llmgwctl.wire import EventKind, Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from llmgwctl.wire import Event

DESCRIPTION = """\
Show what happened: an outage in one line when it begins, one when another cause is found and one
when it ends, with how long it took and how many requests waited, were told why not or were sent
again. With --all, each event by itself. With -f, follow new ones, across restarts of the daemon.
With --json, every event, one object a line; -f adds the snapshot that every watch starts with."""

EXAMPLES = (
    ("llmgwctl events", "the last hour"),
    ("llmgwctl events -f", "and new ones as they happen"),
    ("llmgwctl events --all", "every pod, route and condition, too"),
    ("llmgwctl events --since 7d --json", "a week, for scripts"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("forward", nargs="?", metavar="NAME", help="only of this forward")
    parser.add_argument("-f", "--follow", action="store_true", help="follow new ones")
    parser.add_argument(
        "--since", type=duration, default=3600.0, metavar="TIME", help="how far back (1h)"
    )
    parser.add_argument("--all", action="store_true", help="every event, and not incidents")
    parser.add_argument("--json", action="store_true", help="one object a line")


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    terminal = detect(prints_colour(arguments.color))
    count = 0
    events = _followed(client, arguments.since) if arguments.follow else _past(client, arguments)
    if not arguments.all and not arguments.json:
        events = _incidents(events)
    for event in events:
        if arguments.forward and event.get("forward", arguments.forward) != arguments.forward:
            continue
        if arguments.json:
            print(json.dumps(event), flush=arguments.follow)
        elif event["kind"] != EventKind.SNAPSHOT:
            lines = event_lines(event, terminal, time.time())
            print("\n".join(lines), flush=arguments.follow)
        count += 1
    if not count and not arguments.json:
        print(f"nothing happened in the last {span(arguments.since)}", file=sys.stderr)
    return Exit.OK


def _incidents(events: Iterator[Event]) -> Iterator[Event]:
    incidents = Incidents()
    for event in events:
        yield from incidents.feed(event)
    yield from incidents.settled(time.time())


def _past(client: Client, arguments: argparse.Namespace) -> Iterator[Event]:
    for event in client.events(arguments.since, follow=False):
        if event["kind"] != EventKind.SNAPSHOT:
            yield event


def _followed(client: Client, since_s: float) -> Iterator[Event]:
    """Yield without an end; after a restart of the daemon, first what was missed, nothing twice."""
    seen = ("", -1)

    def watch() -> Iterator[Event]:
        last = seconds_of(seen[0])
        return client.events(since_s if last is None else max(time.time() - last + 1, 1))

    for event in follow(watch):
        mark = (event["time"], event["seq"])
        if event["kind"] == EventKind.SNAPSHOT:
            yield event
        elif mark > seen:
            seen = mark
            yield event
