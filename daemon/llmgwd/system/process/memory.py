"""Gives back the memory of what is gone, now and then, before it adds up.

The byte path leaves no reference cycles behind; the libraries above it leave some, which the
collector by itself looks for only when a quarter more objects exist, some hundred megabytes later.
And glibc keeps what a storm of connections once needed.

Time alone is no measure: a dial that fails leaves its TLS in a cycle, some 0.4 MB, and a peer
decides how many of them fail in 30 s. So dials are counted, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from typing import Final, NoReturn

import anyio

from llmgwd.system.aligned import until_next
from llmgwd.system.wakeup import Wakeup

# The libraries that are imported late are there by then.
SETTLED_S: Final = 5.0
# With all that was imported set aside, a round takes a few milliseconds.
EVERY_S: Final = 30.0
# Dials with TLS after which a round comes at once, but for this pause after the last one.
DIALS_A_ROUND: Final = 24
SOONEST_S: Final = 1.0


class _Garbage:
    """What may have become garbage since the last round."""

    def __init__(self) -> None:
        self.is_due = Wakeup()
        self._dials = 0

    def dialled(self) -> None:
        self._dials += 1
        if self._dials >= DIALS_A_ROUND:
            self.is_due.set()

    def collected(self) -> None:
        self._dials = 0
        self.is_due.clear()


_garbage = _Garbage()


def dialled_with_tls() -> None:
    """Count a dial; what it leaves behind may be garbage soon."""
    _garbage.dialled()


def _glibc(function: str, *arguments: int) -> None:
    """Call what only glibc has; other systems have neither the function nor the habit."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            getattr(ctypes.CDLL(None), function)(*arguments)


async def collect() -> NoReturn:
    """Collect and trim for ever.

    mallopt's M_MMAP_THRESHOLD would give large blocks back at once, but then every read of an
    upload is a fresh mapping, which costs it three times the processor.
    """
    await anyio.sleep(SETTLED_S)
    # Not collected first: that would stop the byte path for a tenth of a second.
    gc.freeze()
    while True:
        _glibc("malloc_trim", 0)
        began_at = anyio.current_time()
        if await _garbage.is_due.wait(until_next(EVERY_S)):
            await anyio.sleep_until(began_at + SOONEST_S)
        _garbage.collected()
        gc.collect()
