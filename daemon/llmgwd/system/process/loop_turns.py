"""Notices turns of the event loop that take too much processor time, and what they spent it on.

All requests wait for the turn to end, so one peer whose bytes are costly holds up the others. The
clock is no measure: a machine that sleeps or is busy makes any turn long and is no one's fault.
So the selector, which a turn ends at, looks at the processor time of its thread; and a timer of
the process's own processor time, which does not tick while it idles, looks into a turn that has
become long. uvloop has no selector of ours, and its turns are not measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final, Protocol, runtime_checkable

import structlog

# Half of what a person notices as a delay, and a hundred times what a turn usually takes.
LONG_S: Final = 0.25
# Some looks into a turn before it is long; each costs microseconds.
_LOOK_EVERY_S: Final = 0.1
_OWN: Final = "llmgwd"
_SHOWN_FRAMES: Final = 3

_log: Final = structlog.get_logger()


@runtime_checkable
class Costly(Protocol):
    """Owns a peer's connection, and ends it where that peer is too costly."""

    def caused_long_turn(self) -> None: ...


class LoopTurns:
    """The turns of one loop. `count` is how many were long."""

    def __init__(self) -> None:
        self.count = 0
        self._began_s = 0.0
        self._where = ""
        self._culprit: Costly | None = None

    def begin(self) -> None:
        self._began_s = time.thread_time()

    def end(self) -> None:
        took_s = time.thread_time() - self._began_s
        if took_s >= LONG_S:
            self.count += 1
            _log.warning("long turn", processor_s=round(took_s, 3), at=self._where or "unknown")
            if self._culprit is not None:
                self._culprit.caused_long_turn()
        if self._where:
            self._where, self._culprit = "", None

    def look(self, _number: int, frame: FrameType | None) -> None:
        """Note what the turn is at now, if it has been at it for long; a signal's handler."""
        if time.thread_time() - self._began_s < _LOOK_EVERY_S:
            return
        frames = [*_frames(frame)]
        ours = [each for each in frames if _module(each).startswith(_OWN)]
        self._where = " < ".join(
            f"{_module(each)}.{each.f_code.co_name}" for each in ours[:_SHOWN_FRAMES]
        )
        owners = (each.f_locals.get("self") for each in ours)
        self._culprit = next((each for each in owners if isinstance(each, Costly)), None)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look into long turns until the block ends; nothing where this is not the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGVTALRM, self.look)
        signal.setitimer(signal.ITIMER_VIRTUAL, _LOOK_EVERY_S, _LOOK_EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Make a loop whose turns are these."""
        return asyncio.SelectorEventLoop(_MeasuredSelector(self))


class _MeasuredSelector(selectors.DefaultSelector):
    """A turn of a loop begins when it has selected, and ends when it selects again."""

    def __init__(self, turns: LoopTurns) -> None:
        super().__init__()
        self._turns = turns
        turns.begin()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns.end()
        ready = super().select(timeout)
        self._turns.begin()
        return ready


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    name: Any = frame.f_globals.get("__name__", "")
    return str(name)


# Of this process: it has one loop.
TURNS: Final = LoopTurns()
