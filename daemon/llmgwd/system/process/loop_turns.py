"""Notices turns of the event loop that take too much processor time, and what they spent it on.

All requests wait for the turn to end, so one peer whose bytes are costly holds up the others. The
clock is no measure: a machine that sleeps or is busy makes any turn long and is no one's fault.
So a timer of the process's own processor time, which does not tick while it idles, looks into the
turn: the first look asks the loop to call back, which it does in its next turn, and what its
thread has used in between is what is left of this one. No loop needs to know of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final, Protocol, runtime_checkable

import structlog

# Half of what a person notices as a delay, and a hundred times what a turn usually takes.
LONG_S: Final = 0.25
# The first look into a turn comes up to this late. Each costs microseconds.
LOOK_EVERY_S: Final = 0.05
_OWN: Final = "llmgwd"
_SHOWN_FRAMES: Final = 3

_log: Final = structlog.get_logger()


@runtime_checkable
class Costly(Protocol):
    """Owns a peer's connection, and ends it where that peer is too costly."""

    def caused_long_turn(self) -> None: ...


class LoopTurns:
    """The turns of the loop that runs in the main thread. `count` is how many were long."""

    def __init__(self) -> None:
        self.count = 0
        self._looked_at_s: float | None = None  # into a turn that has not ended yet
        self._where = ""
        self._culprit: Costly | None = None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look into long turns until the block ends; nothing where this is not the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGVTALRM, self._look)
        signal.setitimer(signal.ITIMER_VIRTUAL, LOOK_EVERY_S, LOOK_EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        """Begin to measure this turn, or note what it is still at; a signal's handler."""
        if self._looked_at_s is None:
            # No loop runs yet, or none any more.
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().call_soon(self._turn_ended)
                self._looked_at_s = time.thread_time()
            return
        ours = [each for each in _frames(frame) if _module(each).startswith(_OWN)]
        self._where = " < ".join(
            f"{_module(each)}.{each.f_code.co_name}" for each in ours[:_SHOWN_FRAMES]
        )
        owners = (each.f_locals.get("self") for each in ours)
        self._culprit = next((each for each in owners if isinstance(each, Costly)), None)

    def _turn_ended(self) -> None:
        looked_at_s, self._looked_at_s = self._looked_at_s, None
        assert looked_at_s is not None
        took_s = time.thread_time() - looked_at_s
        where, self._where = self._where, ""
        culprit, self._culprit = self._culprit, None
        if took_s < LONG_S:
            return
        self.count += 1
        _log.warning("long turn", processor_s=round(took_s, 3), at=where or "unknown")
        if culprit is not None:
            culprit.caused_long_turn()


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    name: Any = frame.f_globals.get("__name__", "")
    return str(name)


# Of this process: it has one loop.
TURNS: Final = LoopTurns()
