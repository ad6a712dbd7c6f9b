"""Notices that the machine slept, or that this process was stopped: the clock ran, we did not."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import anyio

from llmgwd.system.process.boot_timer import BootTimer

# So rarely that it is not felt, so often that a stop of six seconds is surely seen. A machine that
# slept for longer than this has it looked at as soon as it wakes.
TICK_S: Final = 3.0
# A loop on a machine under load may be this late; a lid that was closed is later.
LATE_S: Final = 3.0

Sleep = Callable[[float], Awaitable[None]]


def clock_s() -> float:
    """Read the clock that runs on while the machine sleeps."""
    # On macOS CLOCK_MONOTONIC counts sleep; time.monotonic does not, on neither.
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def notice(woke: Callable[[float], None]) -> NoReturn:
    """Call `woke` with the seconds that were missed, each time some were."""
    with contextlib.ExitStack() as stack:
        sleep: Sleep = anyio.sleep
        # Without it sleep is noticed all the same, up to a tick later.
        with contextlib.suppress(OSError):
            sleep = stack.enter_context(BootTimer()).sleep
        await watch(woke, clock_s, sleep)
    raise AssertionError("unreachable")


async def watch(
    woke: Callable[[float], None], clock: Callable[[], float], sleep: Sleep = anyio.sleep
) -> NoReturn:
    """Compare what `clock` says before and after each `sleep`."""
    before = clock()
    while True:
        await sleep(TICK_S)
        after = clock()
        missed_s = after - before - TICK_S
        before = after
        if missed_s > LATE_S:
            woke(missed_s)
