"""Work that each of many changes asks for: done at once for a few, and seldom for a flood."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Coalesced:
    """Calls `work` at once up to `most` times in `every_s`; what comes above that is one call more,
    when the time is over.

    Use it as a context, or a call that is due comes after its owner has gone.
    """

    def __init__(self, work: Callable[[], None], most: int, every_s: float) -> None:
        self._work = work
        self._most = most
        self._every_s = every_s
        self._done = 0
        self._is_due = False
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Coalesced:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def __call__(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._every_s, self._begin_again)
        if self._done < self._most:
            self._done += 1
            self._work()
        else:
            self._is_due = True

    def _begin_again(self) -> None:
        self._timer, self._done = None, 0
        if self._is_due:
            self._is_due = False
            self()
