"""Signals as facts for the loop: which ones came since it looked last, however often each came.

Not asyncio's own handlers (nor anyio's, which are built on them). Each signal leaves a byte in
their pipe, and once a storm has filled it the interpreter reports the full pipe from within the C
signal handler, for which it takes the lock of its pending calls (CPython 3.11 to 3.13,
`_PyEval_AddPendingCall`). A signal that interrupts the holder of that lock waits for it for ever:
of five daemons that got 20,000 SIGHUPs two hung, with all threads in that handler. Here a full pipe
is not reported, as it wakes the loop just as well.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from types import FrameType
from typing import Any, Final, Self

import anyio

# What the pipe holds is only the fact that something came.
_DRAIN_BYTES: Final = 65_536


class ReceivedSignals:
    """Takes these signals over for as long as the block lasts. Main thread only."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self._numbers = numbers
        self._came: set[signal.Signals] = set()
        self._before: dict[signal.Signals, Any] = {}
        self._descriptor_before = -1
        self._woken, self._waking = socket.socketpair()

    def __enter__(self) -> Self:
        for end in (self._woken, self._waking):
            end.setblocking(False)
        self._descriptor_before = signal.set_wakeup_fd(
            self._waking.fileno(), warn_on_full_buffer=False
        )
        for number in self._numbers:
            self._before[number] = signal.signal(number, self._note)
            # A call in a thread goes on; the loop is woken by the pipe.
            signal.siginterrupt(number, False)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._descriptor_before)
        self._woken.close()
        self._waking.close()

    async def wait(self) -> set[signal.Signals]:
        """Wait until one has come; give all that came since the last call."""
        while not self._came:
            await anyio.wait_readable(self._woken)
            self._drain()
        came, self._came = self._came, set()
        return came

    def _note(self, number: int, _frame: FrameType | None) -> None:
        # The interpreter calls this in the main thread, between two of its instructions, before
        # the loop looks at the pipe.
        self._came.add(signal.Signals(number))

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(_DRAIN_BYTES):
                pass
