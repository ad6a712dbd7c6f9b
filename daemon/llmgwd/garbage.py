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

# mallopt(3): blocks of this size and more are given back to the system when they are freed.
_M_MMAP_THRESHOLD: Final = -3
_GIVEN_BACK_BYTES: Final = 128 * 1024


def give_back_large_blocks() -> None:
    """Keep glibc from holding on to the buffers of connections that are gone.

    It starts so by itself, and raises the threshold with the first large block that is freed.
    """
    if sys.platform.startswith("linux"):
        # Another C library has no such function, and no such habit.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _GIVEN_BACK_BYTES)


async def collect() -> NoReturn:
    await anyio.sleep(SETTLED_S)
    gc.collect()
    gc.freeze()
    while True:
        await anyio.sleep(EVERY_S)
        gc.collect()
