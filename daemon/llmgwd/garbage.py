"""Gives back the memory of closed connections before it adds up.

A TLS connection of asyncio and the tunnel in it refer to each other, and hold half a megabyte.
Only the collector of rings frees them; by itself it looks at old objects when a quarter more of
them exists, which with the libraries of this daemon is some hundred megabytes later.
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
# With all that was imported set aside, a collection takes a few milliseconds.
EVERY_S: Final = 2.0

# Some fifty connections that are gone.
STORM_OBJECTS: Final = 2_000


def _glibc(function: str, *arguments: int) -> None:
    """Call what only glibc has; other systems have neither the function nor the habit."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            getattr(ctypes.CDLL(None), function)(*arguments)


async def collect() -> NoReturn:
    await anyio.sleep(SETTLED_S)
    gc.collect()
    gc.freeze()
    owed = 0
    while True:
        await anyio.sleep(EVERY_S)
        found = gc.collect()
        owed += found
        # After a storm, once it is over. (mallopt's M_MMAP_THRESHOLD would give large blocks back
        # at once, but then every read of an upload is a fresh mapping: 3 times the processor.)
        if owed > STORM_OBJECTS and found < STORM_OBJECTS:
            owed = 0
            _glibc("malloc_trim", 0)
