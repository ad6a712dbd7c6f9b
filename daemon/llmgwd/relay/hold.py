"""Requests and raw connections that wait for a route: a bounded number, each for a bounded time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.relay.route import Carried


class HoldQueue:
    """First come, first carried. `expired` is called for each whose time is over.

    The time counts from when the request came: being sent back here does not renew it.
    """

    def __init__(self, hold_s: float, limit: int, expired: Callable[[Carried], None]) -> None:
        self.hold_s = hold_s
        self.limit = limit
        self._expired = expired
        self._loop = asyncio.get_running_loop()
        self._timers: dict[Carried, tuple[asyncio.TimerHandle, float]] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def add(self, carried: Carried) -> bool:
        """Hold it; False when the queue is full or its time is over already."""
        now = self._loop.time()
        due_at = carried.opened_at + self.hold_s
        if len(self._timers) >= self.limit or due_at <= now:
            return False
        self._timers[carried] = self._loop.call_at(due_at, self._expire, carried), now
        return True

    def remove(self, carried: Carried) -> None:
        """Forget one whose client has left; nothing happens if it is not held."""
        held = self._timers.pop(carried, None)
        if held is not None:
            held[0].cancel()

    def release(self) -> list[tuple[Carried, float]]:
        """Give all that wait, in the order they came, and for how many seconds each has waited."""
        held, self._timers = self._timers, {}
        now = self._loop.time()
        for timer, _ in held.values():
            timer.cancel()
        return [(carried, now - since) for carried, (_, since) in held.items()]

    def _expire(self, carried: Carried) -> None:
        held = self._timers.pop(carried, None)
        if held is not None:
            carried.was_held(self._loop.time() - held[1])
            self._expired(carried)
