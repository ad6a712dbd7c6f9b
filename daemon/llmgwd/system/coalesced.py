"""Work that each of many changes asks for: done at once for a few, and seldom for a flood."""

from __future__ import annotations

import asyncio
import math
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
        self._again_at = -math.inf  # when the next `most` may be done at once
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Coalesced:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def __call__(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._again_at:
            self._done, self._again_at = 0, now + self._every_s
        if self._done < self._most:
            self._done += 1
            self._work()
        elif self._timer is None:
            self._timer = loop.call_at(self._again_at, self._catch_up)

    def _catch_up(self) -> None:
        self._timer, self._again_at = None, -math.inf
        self()
