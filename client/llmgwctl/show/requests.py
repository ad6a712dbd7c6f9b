"""Records of requests as a table, with what they add up to. Pure.

Every request is one line. Columns are cut, and at last left out, until a line fits the terminal.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmgwctl.rules.printable import clean
from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.show.charts import dollars
from llmgwctl.show.columns import Column, Layout, total, widths
from llmgwctl.show.terminal import DIM, RED, Terminal, clock_of, latency, plural, size
from llmgwctl.wire import RequestOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmgwctl.wire import RequestRecord

_COLUMNS = (
    Column("TIME", goes=7),
    Column("METHOD", goes=6),
    Column("PATH", least=16),
    Column("STATUS", least=9),
    Column("MODEL", least=10, goes=4),
    Column("FIRST", goes=5, is_number=True),
    Column("TOTAL", is_number=True),
    Column("SIZE", goes=3, is_number=True),
    Column("SERVED BY", least=8, goes=2),
    Column("PROGRAM", least=8, goes=1),
    Column("NOTE", least=10),
)
# Lines that come one by one are laid out for this row, and cut to fit.
_TYPICAL = [
    *("23:59:59", "POST", "/v1/chat/completions", "200", "claude-sonnet-4-5", "999 ms", "99.9 s"),
    *("999 kB", "litellm-7d9f8b6c5-abcde", "claude-cli/2.0.55", "held 9.9 s"),
]
_SERVED_BY = 8
_OWN = ("llmgwd", "llmgwctl")


class RequestTable:
    """Lays out the rows it was made with, or, without any, rows that come one by one."""

    def __init__(
        self, terminal: Terminal, now: float, records: Sequence[RequestRecord] = ()
    ) -> None:
        self._terminal = terminal
        rows = [_row(record, terminal, now) for record in records]
        columns = [*_COLUMNS]
        if rows and not any(row[-1] for row in rows):
            columns.pop()
        rows = rows or [_TYPICAL]
        self._is_brief = total(widths(columns, rows)) > terminal.width
        if self._is_brief:
            rows = [_abbreviated(row) for row in rows]
        self._layout = Layout(columns, rows, terminal)

    def head(self) -> str:
        return self._terminal.paint(self._layout.head(), DIM)

    def line(self, record: RequestRecord, now: float) -> str:
        row = _row(record, self._terminal, now)
        text = self._layout.line(_abbreviated(row) if self._is_brief else row)
        return self._terminal.paint(text, RED) if has_failed(record) else text


def is_own(record: RequestRecord) -> bool:
    """Say whether llmgw asked it for itself: the doctor, or a verb of llmgwctl."""
    return (record["program"] or "").partition("/")[0] in _OWN


def has_failed(record: RequestRecord) -> bool:
    """Say whether the client did not get what it asked for; its own leaving is not a failure, nor
    is an answer that llmgw itself asked for to judge the gateway by.
    """
    if is_own(record):
        return False
    if record["outcome"] in (RequestOutcome.UNAVAILABLE, RequestOutcome.CUT):
        return True
    return (record["status"] or 0) >= 400


class Summary:
    """Adds up records as they pass, whether they are shown or not."""

    def __init__(self) -> None:
        self._count = 0
        self._own = 0
        self._failed = 0
        self._cancelled = 0
        self._held = 0
        self._resent = 0
        self._costs: list[float] = []
        self._first_bytes_s: list[float] = []

    def add(self, record: RequestRecord) -> None:
        if is_own(record):
            self._own += 1
            return
        self._count += 1
        self._failed += has_failed(record)
        self._cancelled += record["outcome"] == RequestOutcome.CANCELLED
        self._held += record["held_s"] > 0
        self._resent += record["resent"] > 0
        if record["cost"] is not None:
            self._costs.append(record["cost"])
        if record["first_byte_s"] is not None:
            self._first_bytes_s.append(record["first_byte_s"])

    def text(self) -> str:
        parts = [plural(self._count, "request"), f"{self._failed} failed"]
        for count, words in (
            (self._cancelled, "cancelled by the client"),
            (self._held, "held"),
            (self._resent, "sent again"),
            (self._own, "of llmgw's own beside " + ("it" if self._count == 1 else "them")),
        ):
            parts += [f"{count} {words}"] if count else []
        if self._costs:
            known = f"known for {len(self._costs)} of {self._count}"
            parts.append(f"{dollars(sum(self._costs))} ({known})")
        return ", ".join(parts) + self._latencies()

    def _latencies(self) -> str:
        found = sorted(self._first_bytes_s)
        if not found:
            return ""
        middle, late = (latency(_percentile(found, share)) for share in (0.5, 0.95))
        return f"; first byte after {middle} (p50), {late} (p95)"


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Give the nearest rank, which is a time that was measured."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def _row(record: RequestRecord, terminal: Terminal, now: float) -> list[str]:
    moment = seconds_of(record["time"])
    missing = terminal.sign("–")
    first, cells = (
        record["first_byte_s"],
        (
            clean(record["method"]),
            clean(record["path"]),
            _status(record, missing),
            clean(record["model"] or missing),
        ),
    )
    return [
        "?" if moment is None else clock_of(moment, now),
        *cells,
        missing if first is None else latency(first),
        latency(record["total_s"]),
        size(record["received_bytes"]),
        _server(record, missing),
        clean(record["program"] or missing),
        ", ".join(_notes(record)),
    ]


def _abbreviated(row: list[str]) -> list[str]:
    """Leave only the end of a pod's name, which differs between replicas of a deployment."""
    name = row[_SERVED_BY]
    short = name if "." in name else name.rpartition("-")[2]
    return [*row[:_SERVED_BY], short, *row[_SERVED_BY + 1 :]]


def _status(record: RequestRecord, missing: str) -> str:
    status, outcome = record["status"], record["outcome"]
    if outcome in (RequestOutcome.ANSWERED, RequestOutcome.UNAVAILABLE):
        return missing if status is None else str(status)
    return clean(outcome) if status is None else f"{status} {clean(outcome)}"


def _server(record: RequestRecord, missing: str) -> str:
    """Name who answered: a pod, the host of a URL, or llmgwd itself."""
    if record["outcome"] == RequestOutcome.UNAVAILABLE:
        return "llmgwd"
    if record["pod"]:
        return clean(record["pod"])
    return clean(urlsplit(record["url"]).netloc or record["url"]) if record["url"] else missing


def _notes(record: RequestRecord) -> Iterable[str]:
    if is_own(record):
        yield "llmgw's own"
    if record["held_s"] > 0:
        yield f"held {latency(record['held_s'])}"
    if record["resent"] == 1:
        yield "sent again"
    elif record["resent"]:
        yield f"sent again {record['resent']} times"
