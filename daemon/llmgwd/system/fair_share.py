"""Work that a peer can make go on without end takes half of the loop's time at most.

Data that is there already is read without a wait: a watch that sent empty lines faster than they
were read kept every other request waiting for 15 s. Slower reading reaches the peer through TCP.
"""

from __future__ import annotations

import time
from typing import Final

import anyio

# A request of another forward waits this long for us, and asyncio's own work comes on top.
SLICE_S: Final = 0.005


class FairShare:
    """One task's. What other tasks use while this one waits is counted as well: a little too much
    rest does no harm.
    """

    def __init__(self) -> None:
        self._began = time.thread_time()

    async def give_way(self) -> None:
        """Rest after a slice of processor time for as long as it took; to be called often."""
        used_s = time.thread_time() - self._began
        if used_s >= SLICE_S:
            await anyio.sleep(min(used_s, 10 * SLICE_S))
            self._began = time.thread_time()
