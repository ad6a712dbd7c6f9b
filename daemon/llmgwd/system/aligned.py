"""Lets what is done now and then be done at the same instants: one wake-up serves all of it."""

from __future__ import annotations

from typing import Final

import anyio

# A timer may fire this early: the instant that it was set to must not be waited for again.
_EARLY_S: Final = 0.001


def until_next(every_s: float) -> float:
    """Give the seconds until the loop's clock is a whole multiple of `every_s`, at most that."""
    rest_s = every_s - anyio.current_time() % every_s
    return rest_s if rest_s > _EARLY_S else rest_s + every_s
