"""The live view's screen: the table, each forward's flow and latency, the last events. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from llmgwctl.rules.printable import clean
from llmgwctl.show.charts import sparkline
from llmgwctl.show.events import event_lines
from llmgwctl.show.status import table
from llmgwctl.show.terminal import BOLD, DIM, Terminal, clock_of, latency, size
from llmgwctl.wire import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.wire import Event, ForwardStatus, Status

SPARK_WIDTH = 24
RECENT_EVENTS = 200
_NARROW = 72


class Flow:
    """What follows from one forward's counters over time: bytes a second, and latencies."""

    def __init__(self) -> None:
        self.up_s = 0.0
        self.down_s = 0.0
        self.latencies: deque[float | None] = deque(maxlen=SPARK_WIDTH)
        self._before: tuple[float, int, int] | None = None
        self._checked_at: str | None = None

    def note(self, forward: ForwardStatus, now: float) -> None:
        counters, gateway = forward["counters"], forward["gateway"]
        sent, received = counters["sent_bytes"], counters["received_bytes"]
        if self._before is not None and now > self._before[0]:
            passed_s = now - self._before[0]
            # They start over with the daemon.
            self.up_s = max(sent - self._before[1], 0) / passed_s
            self.down_s = max(received - self._before[2], 0) / passed_s
        self._before = (now, sent, received)
        if gateway["checked_at"] != self._checked_at:
            self._checked_at = gateway["checked_at"]
            self.latencies.append(gateway["latency_s"])


def frame(
    status: Status | None,
    flows: dict[str, Flow],
    events: Sequence[Event],
    terminal: Terminal,
    height: int,
    now: float,
) -> list[str]:
    """Draw the whole screen: as many of the last events as there is room for."""
    lines = [_title(status, terminal, now), ""]
    if status is None:
        lines.append("llmgwd is not running; waiting for it")
    else:
        lines += [*table(status, terminal, now), "", *_flows(status, flows, terminal)]
    room = height - len(lines) - 2
    recent = [line for event in events for line in event_lines(event, terminal, now)]
    if room > 0 and recent:
        lines += ["", *recent[-room:]]
    return lines[:height]


def _title(status: Status | None, terminal: Terminal, now: float) -> str:
    clock = clock_of(now, now)
    state = status["state"] if status else str(State.STOPPED)
    word = clean(state) if status else "off"
    glyph = terminal.paint_state(f"{terminal.state_glyph(state)} {word}", state)
    gap = " " * max(terminal.width - len(f"llmgw  x {word}{clock}, q quits"), 2)
    return (
        f"{terminal.paint('llmgw', BOLD)}  {glyph}{gap}{terminal.paint(f'{clock}, q quits', DIM)}"
    )


def _flows(status: Status, flows: dict[str, Flow], terminal: Terminal) -> list[str]:
    forwards = [each for each in status["forwards"] if each["name"] in flows]
    width = min(max((len(each["name"]) for each in forwards), default=0), 20)
    return [_flow(each, flows[each["name"]], width, terminal) for each in forwards]


def _flow(forward: ForwardStatus, flow: Flow, width: int, terminal: Terminal) -> str:
    up, down = terminal.sign("↑"), terminal.sign("↓")
    name = terminal.cut(clean(forward["name"]), width)
    text = (
        f"  {name:{width}}  {up} {size(flow.up_s) + '/s':>9}  {down} {size(flow.down_s) + '/s':>9}"
    )
    if terminal.width < _NARROW:
        return text
    known = [each for each in flow.latencies if each is not None]
    last = latency(known[-1]) if known else terminal.sign("–")
    drawn = "" if terminal.is_ascii else sparkline(flow.latencies)
    return f"{text}  probe {last:>6} {drawn}".rstrip()
