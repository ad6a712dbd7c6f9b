"""How long things took, as histograms: small enough to note on every path, read by the metrics.

Own counts, and not prometheus-client's: it is imported only when somebody asks for metrics.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from typing import Final

# Upper bounds in seconds: a warm tunnel on a local network to an outage over lunch.
BOUNDS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)


class Timing(StrEnum):
    """What is timed; the value is part of a metric's name."""

    PROBE = "probe"  # asking the gateway whether it is well
    DIAL = "dial"  # a tunnel: connect, TLS, upgrade
    HOLD = "hold"  # a request's wait for a route
    FIRST_BYTE = "first_byte"  # of an answer, from the arrival of the request's head
    REQUEST = "request"  # from the arrival of its head to the end of its answer
    OUTAGE = "outage"  # of a forward, from its last route's loss to the next one


class Histogram:
    """Counts by bound; the last count is of what was above all bounds."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0

    def note(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds


class Timings:
    """One histogram for each pair of what was timed and forward, made when first noted."""

    def __init__(self) -> None:
        self.histograms: dict[tuple[Timing, str], Histogram] = {}

    def note(self, timing: Timing, forward: str, seconds: float) -> None:
        histogram = self.histograms.get((timing, forward))
        if histogram is None:
            histogram = self.histograms[timing, forward] = Histogram()
        histogram.note(seconds)
