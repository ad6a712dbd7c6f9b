"""Connections that wait for a route: a bounded number, each for a bounded time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.relay.connection import LocalConnection


class HoldQueue:
    """First come, first carried. `expired` is called for each whose time is over.

    The time counts from when the connection was accepted: being given back does not renew it.
    """

    def __init__(
        self, hold_s: float, limit: int, expired: Callable[[LocalConnection], None]
    ) -> None:
        self.hold_s = hold_s
        self.limit = limit
        self._expired = expired
        self._loop = asyncio.get_running_loop()
        self._timers: dict[LocalConnection, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def add(self, connection: LocalConnection) -> bool:
        """Hold a connection; False when the queue is full or its time is over already."""
        if len(self._timers) >= self.limit:
            return False
        due_at = connection.opened_at + self.hold_s
        if due_at <= self._loop.time():
            return False
        self._timers[connection] = self._loop.call_at(due_at, self._expire, connection)
        return True

    def remove(self, connection: LocalConnection) -> None:
        """Forget a connection whose client has left; nothing happens if it is not held."""
        timer = self._timers.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def release(self) -> list[LocalConnection]:
        """Return all that wait, in the order they came; the queue is empty afterwards."""
        timers, self._timers = self._timers, {}
        for timer in timers.values():
            timer.cancel()
        return list(timers)

    def _expire(self, connection: LocalConnection) -> None:
        if self._timers.pop(connection, None) is not None:
            self._expired(connection)
