"""The event loops that the daemon may run on, for tests of its parts in their own process."""

from __future__ import annotations

from typing import Final

import pytest

from llmgwd.system.process import event_loop

# What an `anyio_backend` is.
Backend = tuple[str, dict[str, bool]]

both_loops: Final = pytest.mark.parametrize(
    "anyio_backend",
    [("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})],
    ids=["asyncio", "uvloop"],
)


def of_the_daemon() -> Backend:
    """The one that a daemon started here and now would run on."""
    return "asyncio", event_loop.backend_options()
