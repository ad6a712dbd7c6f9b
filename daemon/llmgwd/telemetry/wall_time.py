"""Times of the wall's clock that stay true when it is set, as after a sleep.

A status says since when something is so, and a reader takes that from its own clock. Each such time
remembers how the clock stood to the one that no one sets; where that has changed since, the time is
moved as far as the clock was. It is written as it was otherwise, so that it does not tremble.
"""

from __future__ import annotations

import time
from typing import Any, Final, TypeVar, cast

from llmgwctl.rules import timestamps
from llmgwd.system.process.suspend import clock_s

# Less is what keeps a clock right from day to day, and the time between two looks.
SET_BY_S: Final = 1.0

T = TypeVar("T")


class Stamp(str):
    """RFC 3339, as the contract has it, and how the clocks stood to each other."""

    apart_s: float


def now() -> Stamp:
    at_s = time.time()
    stamp = Stamp(timestamps.stamp(at_s))
    stamp.apart_s = at_s - clock_s()
    return stamp


def corrected(status: T) -> T:
    """Give a status with its stamps as plain text, by the clock of this moment."""
    return cast("T", _corrected(status, time.time() - clock_s()))


def _corrected(value: Any, apart_s: float) -> Any:
    if isinstance(value, Stamp):
        return _moved(value, apart_s - value.apart_s)
    if isinstance(value, dict):
        return {key: _corrected(each, apart_s) for key, each in value.items()}
    if isinstance(value, list):
        return [_corrected(each, apart_s) for each in value]
    return value


def _moved(stamp: Stamp, by_s: float) -> str:
    at_s = timestamps.seconds_of(stamp)
    if at_s is None or abs(by_s) < SET_BY_S:
        return str(stamp)
    return timestamps.stamp(at_s + by_s)
