"""Joins what happens to many connections at the same time into one event that counts them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llmgwctl.wire import EventKind
    from llmgwd.errors import LlmgwError

# A lost tunnel or pod is noticed by all its connections within a moment; but whether an outage
# comes of it, to which they belong, is known only when a second has passed for a fresh dial.
TOGETHER_S: Final = 1.25

Report = Callable[["EventKind", "LlmgwError | None", int], None]


class EventBatch:
    """`report` is called with a kind, a cause and how many connections met it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._counts: Counter[tuple[EventKind, str]] = Counter()
        self._causes: dict[tuple[EventKind, str], LlmgwError | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, kind: EventKind, cause: LlmgwError | None) -> None:
        key = (kind, cause.code if cause else "")
        self._counts[key] += 1
        self._causes[key] = cause
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TOGETHER_S, self.flush)

    def flush(self) -> None:
        """Report now what was added so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, Counter()
        causes, self._causes = self._causes, {}
        for key, count in counts.items():
            self._report(key[0], causes[key], count)
