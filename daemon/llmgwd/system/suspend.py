"""Notices that the machine slept, or that this process was stopped: the clock ran, we did not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

import anyio

TICK_S: Final = 1.0
# A loop on a machine under load may be this late; a lid that was closed is later.
LATE_S: Final = 3.0


def clock_s() -> float:
    """Read the clock that runs on while the machine sleeps."""
    # On macOS CLOCK_MONOTONIC counts sleep; time.monotonic does not, on neither.
    counts_sleep = time.CLOCK_MONOTONIC if sys.platform == "darwin" else time.CLOCK_BOOTTIME
    return time.clock_gettime(counts_sleep)


async def watch(woke: Callable[[float], None], clock: Callable[[], float] = clock_s) -> NoReturn:
    """Call `woke` with the seconds that were missed, each time some were."""
    before = clock()
    while True:
        await anyio.sleep(TICK_S)
        after = clock()
        missed_s = after - before - TICK_S
        before = after
        if missed_s > LATE_S:
            woke(missed_s)
