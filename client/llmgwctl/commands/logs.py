"""llmgwctl logs: the log lines of the gateway's pods, each with its pod."""

from __future__ import annotations

import argparse
import json
import re
import time
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.following import follow
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.cli.arguments import duration, prints_colour
from llmgwctl.rules.timestamps import order
from llmgwctl.show.logs import Painter, is_wanted, request_of
from llmgwctl.show.terminal import detect
from llmgwctl.wire import ApiPath, Exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmgwctl.wire import LogLine

DESCRIPTION = """\
Show the logs of all pods behind a forward, read through the API server. With -f, follow new lines
across rollouts: a pod that joins or ends is reported."""

EXAMPLES = (
    ("llmgwctl logs", "the last 200 lines of each pod"),
    ("llmgwctl logs -f", "and new ones, across rollouts"),
    ("llmgwctl logs --since 1h --grep 'rate.?limit'", "an hour's lines that match"),
    ("llmgwctl logs -f --requests", "requests as they come, health probes left out"),
)
_DEFAULT_TAIL = 200
_CLOCKS_DIFFER_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="follow new lines")
    parser.add_argument("--since", type=duration, metavar="TIME", help="no older ones (1h, 10m)")
    parser.add_argument(
        "--tail",
        type=_count,
        metavar="N",
        help=f"at most the last N lines of each pod ({_DEFAULT_TAIL}, or all with --since)",
    )
    parser.add_argument("--grep", type=_pattern, metavar="TEXT", help="a regular expression")
    parser.add_argument("-i", "--ignore-case", action="store_true", help="for --grep")
    parser.add_argument("--requests", action="store_true", help="only requests, one a line")
    parser.add_argument("--json", action="store_true", help="one object a line")
    add_forward(parser)


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    forward = choose_gateway(client.status(), arguments.forward)
    query: dict[str, object] = {
        "forward": forward["name"],
        "follow": arguments.follow,
        "since_s": arguments.since,
        "tail": arguments.tail if arguments.tail or arguments.since else _DEFAULT_TAIL,
    }
    painter = Painter(detect(prints_colour(arguments.color)))
    pattern = arguments.grep
    if pattern is not None and arguments.ignore_case:
        pattern = re.compile(pattern.pattern, re.IGNORECASE)
    entries = _followed(client, query) if arguments.follow else client.lines(ApiPath.LOGS, query)
    for entry in entries:
        if is_wanted(entry, pattern, requests_only=arguments.requests):
            # A reader at the other end of a pipe wants each line when it comes.
            print(_text(entry, painter, arguments), flush=arguments.follow)
    return Exit.OK


def _followed(client: Client, query: Mapping[str, object]) -> Iterator[LogLine]:
    """Yield without an end; after a restart of the daemon, first what was missed, nothing twice."""
    seen: dict[str, str] = {}
    heard_at: float | None = None

    def watch() -> Iterator[LogLine]:
        if heard_at is None:
            return client.lines(ApiPath.LOGS, query)
        # The clocks of the pods' machines may differ: ask for too much rather than too little.
        since_s = time.time() - heard_at + _CLOCKS_DIFFER_S
        return client.lines(ApiPath.LOGS, {**query, "since_s": since_s, "tail": None})

    for entry in follow(watch):
        heard_at = time.time()
        if entry["note"] is None:
            if order(entry["time"]) <= seen.get(entry["pod"], ""):
                continue
            seen[entry["pod"]] = order(entry["time"])
        yield entry


def _text(entry: LogLine, painter: Painter, arguments: argparse.Namespace) -> str:
    if arguments.json:
        return json.dumps(entry)
    request = request_of(entry["line"]) if arguments.requests else None
    return painter.paint(entry) if request is None else painter.paint_request(entry, request)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines: write 1, 100 or more")
    return int(text)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a regular expression: {error}"
        ) from error
