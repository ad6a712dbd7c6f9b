"""The one way to cut a wait short: set by what happened, waited for with a time limit."""

from __future__ import annotations

import asyncio
import math

import anyio
import anyio.lowlevel


class Wakeup:
    """Something happened that makes looking again worth while. For one waiter at a time.

    It stays set until a wait takes it: what happens between two waits is not lost, and what
    happens often in between wakes once.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._event = anyio.Event()

    def set(self) -> None:
        self.is_set = True
        self._event.set()

    def clear(self) -> None:
        """Drop what was set: the look that begins now sees it anyway."""
        self.is_set = False

    async def wait(self, longest_s: float = math.inf) -> bool:
        """Wait until it is set, but no longer; say whether it was, and reset it."""
        if self.is_set:
            await anyio.lowlevel.checkpoint()
        else:
            await self._wait(longest_s)
        was_set, self.is_set = self.is_set, False
        return was_set

    async def _wait(self, longest_s: float) -> None:
        """The timer sets the event. A cancel scope with a deadline would say the same, and cost
        each idle loop of the daemon a second turn, in which the cancellation is delivered.
        """
        self._event = anyio.Event()
        timer = None
        if longest_s < math.inf:
            timer = asyncio.get_running_loop().call_later(longest_s, self._event.set)
        try:
            await self._event.wait()
        finally:
            if timer is not None:
                timer.cancel()
