"""Gives back the memory of what is gone, now and then, before it adds up.

The byte path leaves no reference cycles behind; the libraries above it leave some, which the
collector by itself looks for only when a quarter more objects exist, some hundred megabytes later.
And glibc keeps what a storm of connections once needed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from typing import Final, NoReturn

import anyio

# The libraries that are imported late are there by then.
SETTLED_S: Final = 5.0
# With all that was imported set aside, a round takes a few milliseconds.
EVERY_S: Final = 30.0


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
        await anyio.sleep(EVERY_S)
        gc.collect()
