"""What the service manager is told, received on a socket as systemd has one."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio
import pytest

from llmgwctl.wire import EventKind, Severity
from llmgwd.service.notify import STATUS_EVERY_S, Notifier, watchdog_period_s
from llmgwd.telemetry.event_journal import Journal

if TYPE_CHECKING:
    from llmgwctl.wire import ConditionStatus, Status

Inbox = tuple[str, socket.socket]


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(5)
        yield path, sock


def _read(inbox: Inbox) -> list[str]:
    return inbox[1].recv(4096).decode().split("\n")


def test_ready_says_how_things_are(inbox: Inbox) -> None:
    Notifier(inbox[0]).ready("litellm ready, 2 streams")

    assert _read(inbox) == ["READY=1", "STATUS=litellm ready, 2 streams"]


def test_a_sentence_of_two_lines_is_sent_as_one(inbox: Inbox) -> None:
    Notifier(inbox[0]).status("no route:\nREADY=1")

    assert _read(inbox) == ["STATUS=no route: READY=1"]


def test_a_sentence_that_is_shown_already_is_not_sent_again(inbox: Inbox) -> None:
    notifier = Notifier(inbox[0])
    notifier.status("litellm ready")
    notifier.status("litellm ready")
    notifier.stopping()

    assert [_read(inbox), _read(inbox)] == [["STATUS=litellm ready"], ["STOPPING=1"]]


def test_a_reload_tells_when_it_began(inbox: Inbox) -> None:
    before = time.monotonic_ns() // 1000
    Notifier(inbox[0]).reloading()
    after = time.monotonic_ns() // 1000

    first, second = _read(inbox)
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= after


def test_more_time_is_asked_for_in_microseconds(inbox: Inbox) -> None:
    Notifier(inbox[0]).extend_timeout(1.5)

    assert _read(inbox) == ["EXTEND_TIMEOUT_USEC=1500000"]


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="abstract names are Linux's")
def test_an_abstract_name_is_reached() -> None:
    name = f"llmgw-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(5)
        Notifier(f"@{name}").feed()

        assert sock.recv(4096) == b"WATCHDOG=1"


def test_a_manager_that_has_gone_harms_nobody_and_is_told_again(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    notifier = Notifier(path)
    notifier.status("litellm ready")

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(5)
        notifier.status("litellm ready")

        assert sock.recv(4096) == b"STATUS=litellm ready"


def test_the_variables_are_gone_for_whom_the_daemon_starts() -> None:
    environ = {
        "NOTIFY_SOCKET": "/nowhere",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "PATH": "/bin",
    }

    notifier = Notifier.from_environment(environ)

    assert environ == {"PATH": "/bin"}
    assert notifier.is_listened_to
    assert notifier.watchdog_s == 30.0


@pytest.mark.parametrize(
    ("usec", "pid", "period_s"),
    [
        ("2000000", "42", 2.0),
        ("2000000", None, 2.0),
        ("2000000", "43", None),
        (None, "42", None),
        ("0", "42", None),
        ("soon", "42", None),
    ],
)
def test_a_watchdog_is_ours_only_when_it_says_so(
    usec: str | None, pid: str | None, period_s: float | None
) -> None:
    assert watchdog_period_s(usec, pid, own_pid=42) == period_s


def test_the_watchdog_is_fed_by_the_loop_and_starves_with_it(inbox: Inbox) -> None:
    async def feed_then_be_stuck() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Notifier(inbox[0], watchdog_s=0.3).feed_watchdog)
            await anyio.sleep(0.15)
            fed = [_read(inbox), _read(inbox)]
            time.sleep(0.5)  # noqa: ASYNC251 - this is what is tested
            inbox[1].setblocking(False)
            with pytest.raises(BlockingIOError):
                _read(inbox)
            tasks.cancel_scope.cancel()
        assert fed == [["WATCHDOG=1"], ["WATCHDOG=1"]]

    anyio.run(feed_then_be_stuck)


def test_the_status_is_renewed_at_each_event(inbox: Inbox) -> None:
    status = cast("Status", {"forwards": [], "conditions": []})
    journal = Journal()

    async def change() -> list[str]:
        async with anyio.create_task_group() as tasks:
            notifier = Notifier(inbox[0])
            tasks.start_soon(notifier.keep_status, lambda: status, journal.subscribe)
            await anyio.sleep(0.1)
            first = _read(inbox)
            status["conditions"] = [_condition("The disk is full.")]
            journal.record(EventKind.CONDITION_RAISED)
            with anyio.fail_after(STATUS_EVERY_S / 2):
                await anyio.wait_readable(inbox[1])
            tasks.cancel_scope.cancel()
        return [*first, *_read(inbox)]

    said = anyio.run(change)

    assert said == [
        "STATUS=no forward is configured",
        "STATUS=The disk is full",
    ]


def _condition(summary: str) -> ConditionStatus:
    return cast(
        "ConditionStatus", {"summary": summary, "severity": Severity.ERROR, "hidden_by": None}
    )


def test_without_a_manager_nothing_is_said_and_nothing_waits() -> None:
    async def run() -> None:
        notifier = Notifier()
        notifier.ready("all is well")
        with anyio.fail_after(5):
            await notifier.feed_watchdog()
            await notifier.keep_status(lambda: pytest.fail("no one listens"), Journal().subscribe)

    anyio.run(run)


def test_the_units_stop_time_covers_what_the_daemon_asks_for() -> None:
    unit = (Path(__file__).parents[3] / "systemd" / "llmgwd.service").read_text()

    assert re.search(r"^TimeoutStopSec=30$", unit, re.MULTILINE)
