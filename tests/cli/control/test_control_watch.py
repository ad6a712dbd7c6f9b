"""Watches of the control API: told in order, cut where they fall behind, many at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from requests_to_it import ask, raw

from llmgwctl.api.client import Client
from llmgwctl.api.transport import LineStream
from llmgwctl.wire import EventKind, State
from support.client import sample
from support.client.plain_daemon import Served, serve

if TYPE_CHECKING:
    from pathlib import Path


def test_a_watch_begins_with_a_snapshot_and_goes_on_by_ones(served: Served) -> None:
    served.do(served.daemon.tell, EventKind.WOKE_UP)
    with LineStream(served.path, "/v1/events") as stream:
        lines = (json.loads(line) for line in stream.lines(20) if line)
        snapshot = next(lines)
        for state in (State.STOPPED, State.STARTING, State.READY):
            served.do(served.daemon.change, "litellm", state)

        events = [next(lines) for _ in range(3)]

    assert (snapshot["kind"], snapshot["seq"]) == ("snapshot", 1)
    assert snapshot["status"] == sample.SEVERAL
    assert [(event["seq"], event["state"]) for event in events] == [
        (2, "stopped"),
        (3, "starting"),
        (4, "ready"),
    ]


def test_the_past_that_is_asked_for_comes_before_the_snapshot(served: Served) -> None:
    served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, time="2001-01-01T00:00:00.000Z"))
    served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, time="2999-01-01T00:00:00.000Z"))

    events = list(Client(served.path).events(since_s=60, follow=False))

    assert [(event["seq"], event["kind"]) for event in events] == [(2, "woke-up"), (2, "snapshot")]


def test_a_watcher_that_falls_behind_meets_the_end(folder: Path) -> None:
    filler = "x" * 65536
    with serve(folder, sample.READY, take_within_s=60) as served:
        with LineStream(served.path, "/v1/events") as behind:
            served.until(lambda: served.daemon.watchers == 1)
            for _ in range(100):
                served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, message=filler))

            lines = [line for line in behind.lines(20) if line]

        assert 0 < len(lines) < 100
        assert json.loads(lines[0])["kind"] == "snapshot"


def test_a_watcher_that_leaves_is_forgotten_at_once(served: Served) -> None:
    with LineStream(served.path, "/v1/events"):
        served.until(lambda: served.daemon.watchers == 1)

    served.until(lambda: served.daemon.watchers == 0)


def test_a_hundred_watchers_at_once_are_all_told(served: Served) -> None:
    streams = [LineStream(served.path, "/v1/events") for _ in range(100)]
    served.until(lambda: served.daemon.watchers == 100)

    served.do(served.daemon.change, "litellm", State.STOPPED)

    for stream in streams:
        lines = (json.loads(line) for line in stream.lines(20) if line)
        assert [next(lines)["kind"] for _ in range(2)] == ["snapshot", "state-changed"]
        stream.close()
    assert ask(served, "GET", "/v1/status").status == 200


def test_above_the_limit_of_connections_the_next_gets_503(folder: Path) -> None:
    with serve(folder, sample.READY, connection_limit=1) as served:
        with LineStream(served.path, "/v1/events"):
            answer = raw(served, b"GET /v1/status HTTP/1.0\r\n\r\n")

        assert b" 503 " in answer.split(b"\r\n")[0]
        assert b"too-many-connections" in answer


def test_a_quiet_watch_shows_signs_of_life(folder: Path) -> None:
    with (
        serve(folder, sample.READY, heartbeat_s=0.01) as served,
        LineStream(served.path, "/v1/events") as stream,
    ):
        lines = stream.lines(20)
        assert json.loads(next(lines))["kind"] == "snapshot"
        assert [next(lines) for _ in range(3)] == [b"", b"", b""]
