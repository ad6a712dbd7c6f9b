"""The one way to cut a wait short: set by what happened, waited for with a time limit."""

from __future__ import annotations

import math

import anyio


class Wakeup:
    """Something happened that makes looking again worth while. For one waiter at a time.

    It stays set until a wait takes it: what happens between two waits is not lost, and what
    happens often in between wakes once.
    """

    def __init__(self) -> None:
        self._event = anyio.Event()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        """Drop what was set: the look that begins now sees it anyway."""
        if self._event.is_set():
            self._event = anyio.Event()

    async def wait(self, longest_s: float = math.inf) -> bool:
        """Wait until it is set, but no longer; say whether it was, and reset it."""
        with anyio.move_on_after(longest_s):
            await self._event.wait()
        was_set = self._event.is_set()
        self.clear()
        return was_set
