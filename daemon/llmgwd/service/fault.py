"""A loop that is stuck, on request: how the watchdog is seen to work."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "LLMGW_DEBUG_FAULTS"


def allow_faults(environ: Mapping[str, str] = os.environ) -> None:
    """With LLMGW_DEBUG_FAULTS=1, SIGUSR2 blocks the event loop for good; else nothing changes."""
    if environ.get(VARIABLE) == "1":
        signal.signal(signal.SIGUSR2, _block)


def _block(_number: int, _frame: object) -> None:
    # Signals run in the main thread, which is the loop's.
    while True:
        time.sleep(1)
