"""Which event loop carries the daemon: uvloop's where it is installed, else the standard library's.

uvloop takes a quarter of the processor time off a request and a third off a download. The daemon
needs nothing that only one of them has.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio

from llmgwd.system.process.loop_turns import TURNS

# "asyncio" has the standard library's loop, to tell a fault of uvloop's from one of ours.
LOOP_VARIABLE: Final = "LLMGW_LOOP"


def start(main: Callable[[], Awaitable[None]]) -> None:
    """Run until `main` ends."""
    with TURNS.watched():
        anyio.run(main, backend_options=backend_options())


def backend_options() -> dict[str, bool]:
    """What anyio's asyncio backend takes."""
    return {"use_uvloop": os.environ.get(LOOP_VARIABLE) != "asyncio" and _can_use_uvloop()}


def _can_use_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401
    except ImportError:
        # It is not there, or made for another system: no reason not to start.
        return False
    return True


def is_write_after_close(context: Mapping[str, Any]) -> bool:
    """Is this report that of uvloop's TLS (0.23) about a connection that we have closed?

    Where a callback that receives data closes the connection, uvloop's TLS writes once more.
    """
    error = context.get("exception")
    return isinstance(error, RuntimeError) and str(error).endswith("; the handler is closed")
