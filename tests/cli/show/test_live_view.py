"""The live view's frame and the lines of events, as people see them."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import pytest

from llmgwctl.show.events import event_lines
from llmgwctl.show.live_frame import Flow, frame
from llmgwctl.show.terminal import Terminal
from llmgwctl.wire import EventKind
from support.client import golden, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmgwctl.wire import Event, Status


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def event(seq: int, clock: str, kind: EventKind, **fields: Any) -> Event:
    found: Any = {"seq": seq, "time": f"2026-03-01T{clock}.000Z", "kind": str(kind), **fields}
    return found  # type: ignore[no-any-return]


EVENTS = (
    event(1, "11:58:00", EventKind.DAEMON_STARTED, message="llmgwd 0.1.0 started."),
    event(
        *(2, "11:58:02", EventKind.STATE_CHANGED),
        forward="litellm",
        state="ready",
        message="litellm is ready.",
    ),
    event(
        *(3, "11:59:48", EventKind.CONDITION_RAISED),
        forward="staging",
        message="None of the 2 pods of deployment/litellm-proxy is ready.",
        remedy="kubectl -n litellm get pods",
    ),
    event(
        *(4, "11:59:50", EventKind.CONNECTION_CUT),
        forward="staging",
        message="A connection was cut: it may have been received.",
    ),
    event(5, "11:59:59", EventKind.WOKE_UP),
)


def flows_over(status: Status) -> dict[str, Flow]:
    """Let 30 s pass: 1 MB/s come in, and a probe each second take up to 30 ms."""
    flows = {each["name"]: Flow() for each in status["forwards"]}
    for second in range(30):
        moment = copy.deepcopy(status)
        for forward in moment["forwards"]:
            forward["counters"]["received_bytes"] += second * 1_000_000
            forward["counters"]["sent_bytes"] += second * 1234
            forward["gateway"]["checked_at"] = f"{second}"
            forward["gateway"]["latency_s"] = None if second == 20 else (second + 1) / 1000
            flows[forward["name"]].note(forward, float(second))
    return flows


def draw(status: Status | None, terminal: Terminal, height: int) -> str:
    flows = flows_over(status) if status else {}
    return "\n".join(frame(status, flows, EVENTS, terminal, height, sample.NOW)) + "\n"


@pytest.mark.parametrize(
    ("name", "status", "width", "height"),
    [
        ("several", sample.SEVERAL, 80, 30),
        ("ready", sample.READY, 80, 24),
        ("ready-narrow", sample.READY, 50, 12),
        ("off", None, 80, 24),
    ],
)
def test_the_frame(name: str, status: Status | None, width: int, height: int) -> None:
    drawn = draw(status, Terminal(width), height)

    golden.check(f"live-{name}.txt", drawn)
    assert len(drawn.splitlines()) <= height


@pytest.mark.parametrize("height", [1, 3, 8])
def test_a_low_terminal_keeps_the_top_of_the_frame(height: int) -> None:
    whole = draw(sample.READY, Terminal(80), 24).splitlines()

    assert draw(sample.READY, Terminal(80), height).splitlines()[:3] == whole[: min(height, 3)]


def test_rates_start_over_with_the_daemon() -> None:
    flow = flows_over(sample.READY)["litellm"]
    assert (round(flow.down_s), round(flow.up_s)) == (1_000_000, 1234)

    flow.note(sample.forward(), 31.0)

    assert (flow.down_s, flow.up_s) == (0.0, 0.0)


def test_events_as_lines() -> None:
    lines = [line for each in EVENTS for line in event_lines(each, Terminal(60), sample.NOW)]

    golden.check("events.txt", "\n".join(lines) + "\n")


def test_an_event_of_another_day_has_its_date() -> None:
    later = sample.NOW + 86400

    assert event_lines(EVENTS[0], Terminal(80), later) == [
        "2026-03-01 11:58:00 · llmgwd 0.1.0 started."
    ]
