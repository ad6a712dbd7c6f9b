"""llmgwctl requests: what passed through the forwards, request by request."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.following import follow
from llmgwctl.api.forward_choice import choose
from llmgwctl.cli.arguments import duration, prints_colour
from llmgwctl.rules.timestamps import stamp
from llmgwctl.show.requests import RequestTable, Summary, has_failed
from llmgwctl.show.terminal import detect, span
from llmgwctl.wire import ApiPath, Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from llmgwctl.wire import RequestRecord

DESCRIPTION = """\
Show the requests that llmgwd carried, each when it has ended: status, model, time to the first
byte and in all, the pod or URL that served it, and the program that sent it. Requests that were
held or sent again are marked. What llmgw asks for itself, such as the doctor's questions, is
marked too, and counts neither as a request nor as a failure. llmgwd remembers the last
1,000 of each forward, and never a body, a header or a query."""

EXAMPLES = (
    ("llmgwctl requests", "the last hour"),
    ("llmgwctl requests -f --failed", "failures as they happen"),
    ("llmgwctl requests litellm --since 10m", "of one forward"),
    ("llmgwctl requests --json | jq .first_byte_s", "one object a line, for scripts"),
)

# As many as the daemon remembers of a forward.
_REMEMBERED = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("forward", nargs="?", metavar="NAME", help="only of this forward")
    parser.add_argument("-f", "--follow", action="store_true", help="follow new ones")
    parser.add_argument(
        "--since", type=duration, default=3600.0, metavar="TIME", help="how far back (1h)"
    )
    parser.add_argument(
        "--failed",
        action="store_true",
        help="only those that were cut, got no route, or got a status of 400 or more",
    )
    parser.add_argument("--json", action="store_true", help="one object a line")


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    if arguments.forward:
        choose(client.status(), arguments.forward)
    query: dict[str, object] = {
        "forward": arguments.forward,
        "since": stamp(time.time() - arguments.since),
        "follow": arguments.follow,
    }
    if not arguments.follow:
        return _show_past(list(client.lines(ApiPath.REQUESTS, query)), arguments)
    summary = Summary()
    try:
        _show_coming(_followed(client, query), summary, arguments)
    except KeyboardInterrupt:
        if not arguments.json:
            print(f"\n{summary.text()}")
        raise
    return Exit.OK


def _show_past(records: list[RequestRecord], arguments: argparse.Namespace) -> int:
    """Print what is remembered; the table is as wide as its cells, the summary is of all."""
    summary = Summary()
    for record in records:
        summary.add(record)
    wanted = [record for record in records if _is_wanted(record, arguments)]
    if arguments.json:
        for record in wanted:
            print(json.dumps(record))
    elif not records:
        print(f"no requests in the last {span(arguments.since)}", file=sys.stderr)
    else:
        now = time.time()
        if wanted:
            table = RequestTable(detect(prints_colour(arguments.color)), now, wanted)
            print("\n".join([table.head(), *(table.line(record, now) for record in wanted), ""]))
        print(summary.text())
    return Exit.OK


def _show_coming(
    records: Iterator[RequestRecord], summary: Summary, arguments: argparse.Namespace
) -> None:
    table = RequestTable(detect(prints_colour(arguments.color)), time.time())
    if not arguments.json:
        print(table.head(), flush=True)
    for record in records:
        summary.add(record)
        if _is_wanted(record, arguments):
            text = json.dumps(record) if arguments.json else ""
            print(text or table.line(record, time.time()), flush=True)


def _followed(client: Client, query: dict[str, object]) -> Iterator[RequestRecord]:
    """Yield without an end; what a new watch repeats of the past is left out."""
    seen: dict[str, deque[tuple[int, str]]] = {}
    for record in follow(lambda: client.lines(ApiPath.REQUESTS, query)):
        marks = seen.setdefault(record["forward"], deque(maxlen=_REMEMBERED))
        # With the time: a daemon that was restarted counts from the beginning.
        mark = (record["seq"], record["time"])
        if mark not in marks:
            marks.append(mark)
            yield record


def _is_wanted(record: RequestRecord, arguments: argparse.Namespace) -> bool:
    return not arguments.failed or has_failed(record)
