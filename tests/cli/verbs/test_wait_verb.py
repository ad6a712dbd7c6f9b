"""llmgwctl wait: until when, for whom, and what it says in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client_process import run, started, watched

from llmgwctl.wire import Exit, State
from support.client import sample
from support.client.plain_daemon import Served, serve

if TYPE_CHECKING:
    from pathlib import Path


def test_wait_is_told_and_does_not_ask_again(folder: Path) -> None:
    with serve(folder, sample.RECONNECTING) as served, started(served.path, "wait") as waiting:
        watched(served)
        asked = served.server.requests_count
        served.do(served.daemon.change, "litellm", State.DEGRADED)
        served.do(served.daemon.change, "litellm", State.READY)

        assert waiting.wait(30) == Exit.OK
        assert served.server.requests_count == asked == 1


def test_wait_returns_at_once_where_it_is_so(served: Served) -> None:
    assert run(served.path, "wait", "litellm").returncode == Exit.OK
    assert run(served.path, "wait", "dashboard", "--for", "blocked").returncode == Exit.OK


def test_wait_for_serving_takes_degraded_for_an_answer(folder: Path) -> None:
    with serve(folder, sample.DEGRADED) as served:
        assert run(served.path, "wait", "--for", "serving").returncode == Exit.OK
        assert run(served.path, "wait", "--timeout", "0s").returncode == Exit.NOT_SO


def test_wait_leaves_out_what_was_stopped_on_purpose(folder: Path) -> None:
    both = sample.status(sample.forward(), sample.forward("old", "stopped"))
    with serve(folder, both) as served:
        assert run(served.path, "wait", "--timeout", "5s").returncode == Exit.OK


def test_wait_that_ends_too_late_says_why_and_what_to_do(served: Served) -> None:
    blocked = run(served.path, "wait", "dashboard", "--timeout", "50ms")
    lost = run(served.path, "wait", "staging", "--timeout", "50ms")

    assert blocked.returncode == Exit.NEEDS_PERSON
    assert blocked.stderr == (
        "llmgwctl: dashboard is blocked, not ready, after 0.05 s: your login to the cluster "
        "homelab has expired: the API server answered 401 Unauthorized; "
        "aws sso login --profile homelab\n"
    )
    assert lost.returncode == Exit.NOT_SO


def test_wait_waits_for_a_daemon_that_is_not_there_yet(folder: Path) -> None:
    path = str(folder / "llmgw" / "control.sock")
    with started(path, "wait") as waiting:
        assert waiting.stderr is not None
        assert "waiting for it" in waiting.stderr.readline()
        with serve(folder, sample.READY):
            assert waiting.wait(30) == Exit.OK


def test_wait_in_vain_for_a_daemon_is_unreachable(folder: Path) -> None:
    assert run(str(folder / "none.sock"), "wait", "--timeout", "0").returncode == Exit.UNREACHABLE
