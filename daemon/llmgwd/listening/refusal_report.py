"""Clients that were refused, reported once a minute at most: a flood is not one of events, too."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

REPORT_EVERY_S: Final = 60.0
# Different reasons that one report names; the rest is only counted.
REASONS_SHOWN: Final = 5
REASONS_KEPT: Final = 100


def sentence(count: int, reasons: list[str], where: str = "") -> str:
    """Word a report; `where` begins with a space."""
    were = "connection was" if count == 1 else "connections were"
    return f"{count} {were} refused{where}: {', '.join(reasons)}."


class RefusedClients:
    """`report` is called with how many were refused, and a few words on each kind: "3 of bob"."""

    def __init__(self, report: Callable[[int, list[str]], None]) -> None:
        self.count = 0
        self._report = report
        self._reasons: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._clock = asyncio.get_running_loop().time
        self._reported_at = float("-inf")

    def add(self, reason: str) -> None:
        self.count += 1
        if reason in self._reasons or len(self._reasons) < REASONS_KEPT:
            self._reasons[reason] += 1
        if self._timer is None:
            due_at = max(self._clock(), self._reported_at + REPORT_EVERY_S)
            self._timer = asyncio.get_running_loop().call_at(due_at, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._reported_at = self._clock()
        reasons, self._reasons = self._reasons, Counter()
        shown = [f"{count} {reason}" for reason, count in reasons.most_common(REASONS_SHOWN)]
        self._report(sum(reasons.values()), shown)
