"""Gives back the memory of closed connections before it adds up.

A TLS connection of asyncio and the tunnel in it refer to each other, and hold half a megabyte.
Only the collector of rings frees them; by itself it looks at old objects when a quarter more of
them exists, which with the libraries of this daemon is some hundred megabytes later.
"""

from __future__ import annotations

import gc
from typing import Final, NoReturn

import anyio

# The libraries that are imported late are there by then.
SETTLED_S: Final = 5.0
# With all that was imported set aside, a collection takes a few milliseconds.
EVERY_S: Final = 5.0


async def collect() -> NoReturn:
    await anyio.sleep(SETTLED_S)
    gc.collect()
    gc.freeze()
    while True:
        await anyio.sleep(EVERY_S)
        gc.collect()
