"""What must not end the daemon: signals, odd files of an earlier run, bugs in its own tasks."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgwctl.wire import ConditionKind
from support.running_daemon import RunningDaemon

NO_CLUSTER = """
[[forward]]
name = "litellm"
listen = "localhost:PORT"
"""

# Stands for any bug: two of the daemon's long-lived tasks break whenever they are started.
BROKEN_TASKS = """
import sys
from llmgwd.__main__ import main
from llmgwd.system.process import memory, suspend

async def broken(*_):
    raise RecursionError("a bug")

memory.collect = suspend.watch = broken
sys.exit(main())
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    running = RunningDaemon(tmp_path, tmp_path / "no-kubeconfig", NO_CLUSTER)
    yield running
    running.kill()


def test_a_storm_of_hangups_neither_hangs_nor_ends_it(daemon: RunningDaemon) -> None:
    daemon.launch()

    for _ in range(20_000):
        daemon.signal(signal.SIGHUP)
        # Spread over some seconds: signals that come at once are one for the kernel already.
        time.sleep(0.0001)

    daemon.wait_until(lambda: "config-reloaded" in daemon.kinds(), "has reloaded")
    reloads = daemon.kinds().count("config-reloaded")
    assert reloads < 200
    assert daemon.end() == 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_without_a_meaning_shows_where_its_threads_are(
    daemon: RunningDaemon, number: signal.Signals
) -> None:
    daemon.launch()

    daemon.signal(number)

    daemon.wait_until(lambda: "most recent call first" in daemon.log(), "wrote its threads")
    assert daemon.status()["api"] == 1
    assert daemon.end() == 0


def test_a_storm_of_other_signals_ends_nothing(daemon: RunningDaemon) -> None:
    daemon.launch()

    for _ in range(500):
        for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO):
            daemon.signal(number)

    assert daemon.status()["api"] == 1
    assert daemon.end() == 0


def test_a_bug_in_a_task_of_its_own_is_reported_and_ends_nothing(daemon: RunningDaemon) -> None:
    daemon.launch(program=("-c", BROKEN_TASKS))

    daemon.wait_until(
        lambda: daemon.log().count('"event": "task broke"') >= 4, "tried both tasks again"
    )

    raised = [each for each in daemon.status()["conditions"] if each["kind"] == "internal"]
    assert [each["summary"] for each in raised] == [
        "A mistake in llmgwd itself: noticing sleep failed (RecursionError)."
    ]
    assert "Traceback" in daemon.log()
    assert daemon.end() == 0


def test_odd_lines_in_the_event_file_are_left_out(daemon: RunningDaemon) -> None:
    state = daemon.config_path.parent / "state"
    state.mkdir()
    whole = {"seq": 7, "time": "2026-01-01T00:00:00.000Z", "kind": "route-up"}
    odd = [
        "", "[]", "nonsense", "{}", "[" * 100_000, '{"seq": 8}', '{"seq": ' + "9" * 5_000 + "}",
        json.dumps({**whole, "seq": True}), json.dumps({**whole, "time": "yesterday"}),
        json.dumps({**whole, "time": 12}), json.dumps({**whole, "kind": None}),
        json.dumps({**whole, "seq": -1}), json.dumps({**whole, "message": ["no", "text"]}),
        json.dumps({**whole, "time": "99999-01-01T00:00:00.000Z"}),
    ]  # fmt: skip
    lines = [*odd, json.dumps(whole), *odd]
    (state / "events.jsonl").write_bytes("\n".join(lines).encode() + b'\n{"seq": 8, "ti\xff')

    daemon.launch()

    events = list(daemon.client.events(since_s=10 * 365 * 86_400.0, follow=False))
    assert [each["kind"] for each in events[:2]] == ["route-up", "daemon-started"]
    assert [each["seq"] for each in events[:2]] == [7, 8]
    daemon.end()


def test_its_memory_is_in_no_core_file_also_when_it_is_run_by_hand() -> None:
    code = (
        "import ctypes; from llmgwd.system.process.limits import forbid_dumps; forbid_dumps();"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )

    dumpable = subprocess.check_output([sys.executable, "-c", code], text=True)

    assert dumpable.strip() == "0"


def test_the_daemon_and_its_plugins_write_no_core_files(daemon: RunningDaemon) -> None:
    daemon.launch()

    assert daemon.process is not None
    limits = resource.prlimit(daemon.process.pid, resource.RLIMIT_CORE)
    assert limits == (0, 0)
    daemon.end()


def test_a_lone_surrogate_in_a_message_of_the_cluster_breaks_no_record(tmp_path: Path) -> None:
    from llmgwctl.wire import EventKind
    from llmgwd.telemetry.event_journal import Journal

    journal = Journal(tmp_path)
    journal.record(EventKind.CONDITION_RAISED, "bad \ud800 text", cause=ConditionKind.INTERNAL)
    journal.close()

    kept = Journal(tmp_path).since(None)
    assert [event["message"] for event in kept] == ["bad \ufffd text"]
