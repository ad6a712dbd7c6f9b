"""An event loop on a clock of its own: who sleeps is woken at once, at the exact instant."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

Result = TypeVar("Result")


class _Selector(selectors.SelectSelector):
    """Instead of waiting, moves the clock; real descriptors are still looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.wakeups = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits for somebody else: nothing will ever happen")
            self.now += max(timeout, 0.0)
            self.wakeups += timeout > 0
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    @property
    def wakeups(self) -> int:
        """How often the loop has slept and was woken."""
        return self._clock.wakeups


def run(main: Callable[[], Awaitable[Result]]) -> Result:
    """Run to the end in no time. No threads: the clock does not wait for them."""
    return anyio.run(main, backend_options={"loop_factory": VirtualLoop})
