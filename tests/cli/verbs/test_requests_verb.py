"""llmgwctl requests: the past, what follows across a restart, and what a script gets."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from client_process import run, started

from llmgwctl.rules.timestamps import now, seconds_of
from llmgwctl.wire import ApiPath, Exit
from support.client import sample
from support.client.request_records import VARIOUS, record
from support.client.scripted_daemon import ScriptedDaemon, scripted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client.plain_daemon import Served


@pytest.fixture
def daemon(folder: Path) -> Iterator[ScriptedDaemon]:
    with scripted(folder, sample.READY) as found:
        found.lines = list(VARIOUS)
        yield found


def test_the_table_ends_with_what_it_adds_up_to(daemon: ScriptedDaemon) -> None:
    done = run(daemon.path, "requests", COLUMNS="160")

    head, *rows = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (Exit.OK, "")
    assert head.split()[:4] == ["TIME", "METHOD", "PATH", "STATUS"]
    assert len(rows) == len(VARIOUS) + 2
    assert rows[-1].startswith("12 requests, 3 failed, 2 cancelled by the client, 2 held, 2 sent")


def test_the_daemon_is_asked_for_the_time_and_the_forward(daemon: ScriptedDaemon) -> None:
    asked_at = seconds_of(now()) or 0.0

    run(daemon.path, "requests", "litellm", "--since", "10m")

    path, query = daemon.asked[-1]
    assert (path, query["forward"], query["follow"]) == (ApiPath.REQUESTS, "litellm", "false")
    assert (seconds_of(query["since"]) or 0.0) == pytest.approx(asked_at - 600, abs=20)


def test_an_unknown_forward_is_a_mistake_with_an_offer(daemon: ScriptedDaemon) -> None:
    done = run(daemon.path, "requests", "litelm")

    assert done.returncode == Exit.USAGE
    assert "did you mean litellm?" in done.stderr


def test_failed_shows_failures_only_and_adds_up_all(daemon: ScriptedDaemon) -> None:
    shown = run(daemon.path, "requests", "--failed", COLUMNS="160").stdout.splitlines()

    assert [line.split()[4] for line in shown[1:4]] == ["429", "503", "200"]
    assert " cut " in shown[3]
    assert shown[4] == ""
    assert shown[5].startswith("12 requests, 3 failed")


def test_json_gives_each_record_as_it_is(daemon: ScriptedDaemon) -> None:
    done = run(daemon.path, "requests", "--json")
    failed = run(daemon.path, "requests", "--json", "--failed")

    assert [json.loads(line) for line in done.stdout.splitlines()] == VARIOUS
    assert [json.loads(line)["seq"] for line in failed.stdout.splitlines()] == [6, 7, 8]


def test_no_request_is_said_on_stderr(daemon: ScriptedDaemon) -> None:
    daemon.lines = []

    done = run(daemon.path, "requests", "--since", "2h")

    assert (done.returncode, done.stdout) == (Exit.OK, "")
    assert done.stderr == "no requests in the last 2h\n"


def test_it_follows_across_a_restart_and_shows_nothing_twice(daemon: ScriptedDaemon) -> None:
    daemon.lines = [record(7), record(8)]

    with started(daemon.path, "requests", "-f", "--json") as following:
        assert following.stdout is not None
        seqs = (json.loads(line)["seq"] for line in following.stdout)
        first = [next(seqs), next(seqs)]
        daemon.add(record(9))
        third = next(seqs)
        # The same daemon, which had cut a slow watcher.
        long = record(10, time="2026-03-01T11:00:00.000Z")
        daemon.cut([long, record(7), record(8), record(9)])
        fourth = next(seqs)
        # Another daemon, which counts from the beginning.
        daemon.cut([record(1, time="2026-03-01T11:30:00.000Z")])
        fifth = next(seqs)

    assert [*first, third, fourth, fifth] == [7, 8, 9, 10, 1]


def test_ctrl_c_ends_a_watch_with_its_sum(daemon: ScriptedDaemon) -> None:
    daemon.lines = [record(1)]
    with started(daemon.path, "requests", "-f") as following:
        assert following.stdout is not None
        shown = [following.stdout.readline(), following.stdout.readline()]
        following.send_signal(signal.SIGINT)
        rest = following.stdout.read()

        assert following.wait(20) == Exit.INTERRUPTED
    assert "/v1/messages" in shown[1]
    assert rest.strip() == "1 request, 0 failed; first byte after 840 ms (p50), 840 ms (p95)"


def test_the_daemons_own_record_is_shown(served: Served) -> None:
    served.do(lambda: served.daemon.records[0].add(record(seq=0, time=now())))

    done = run(served.path, "requests", "litellm", "--json")

    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [1]
    assert run(served.path, "requests", "--json", "--since", "0s").stdout == ""


def test_an_older_daemon_is_said_to_be_older(daemon: ScriptedDaemon) -> None:
    daemon.lines = None

    done = run(daemon.path, "requests")

    assert done.returncode == Exit.UNREACHABLE
    assert done.stderr == (
        "llmgwctl: the running llmgwd is older than this llmgwctl: there is no /v1/requests here; "
        "restart it, so that it is of the same version: llmgwctl service restart\n"
    )
