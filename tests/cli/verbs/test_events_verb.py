"""llmgwctl events: the past, and what follows across a restart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from client_process import run, started

from llmgwctl.wire import EventKind, Exit
from support.client import sample
from support.client.plain_daemon import Served, serve

if TYPE_CHECKING:
    from pathlib import Path


def test_events_shows_the_past_and_nothing_else(served: Served) -> None:
    def happen() -> None:
        served.daemon.tell(
            EventKind.CONDITION_RAISED,
            forward="litellm",
            message="Your login has expired.",
            remedy="aws sso login",
            time="2999-01-01T00:00:00.000Z",
        )
        served.daemon.tell(EventKind.WOKE_UP, time="2001-01-01T00:00:00.000Z")

    served.do(happen)

    done = run(served.path, "events", TZ="UTC")

    assert done.returncode == Exit.OK
    assert done.stdout.splitlines() == [
        "2999-01-01 00:00:00 ! litellm: Your login has expired.",
        "                      → aws sso login",
    ]
    assert len(run(served.path, "events", "--json").stdout.splitlines()) == 1


def test_events_says_so_where_nothing_happened(served: Served) -> None:
    done = run(served.path, "events", "--since", "2h")

    assert (done.stdout, done.stderr) == ("", "nothing happened in the last 2h\n")


def test_events_follows_across_a_restart_and_shows_nothing_twice(folder: Path) -> None:
    with (
        serve(folder, sample.READY) as served,
        started(served.path, "events", "-f", "--json") as following,
    ):
        assert following.stdout is not None
        lines = (json.loads(line) for line in following.stdout)
        assert next(lines)["kind"] == "snapshot"
        served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, time="2998-01-01T00:00:00.000Z"))
        assert next(lines)["kind"] == "woke-up"
        served.do(served.daemon.end_watchers)
        assert next(lines)["kind"] == "snapshot"
        served.do(
            lambda: served.daemon.tell(EventKind.CONFIG_RELOADED, time="2999-01-01T00:00:00.000Z")
        )
        assert next(lines)["kind"] == "config-reloaded"
