"""Text for a terminal: width, colour, glyphs, and amounts as people read them. Pure.

Foreign text (a cluster's messages, pod names) goes through `rules.printable` first, so that it
cannot control the terminal.
"""

from __future__ import annotations

import os
import sys
import time

from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.wire import Severity, State

RED, GREEN, YELLOW, CYAN, BOLD, DIM = "31", "32", "33", "36", "1", "2"

# State: glyph, the same where the terminal has no UTF-8, colour.
_STATES: dict[str, tuple[str, str, str]] = {
    State.READY: ("●", "*", GREEN),
    State.DEGRADED: ("◐", "~", YELLOW),
    State.STARTING: ("○", ".", CYAN),
    State.RECONNECTING: ("↻", "@", YELLOW),
    State.BLOCKED: ("✗", "x", RED),
    State.STOPPED: ("■", "-", DIM),
}
_SEVERITIES: dict[str, tuple[str, str, str]] = {
    Severity.ERROR: ("✗", "x", RED),
    Severity.WARNING: ("!", "!", YELLOW),
    Severity.INFO: ("·", "-", DIM),
}
# A state or severity newer than this client.
_UNKNOWN = ("?", "?", BOLD)
# Other signs, for terminals without UTF-8.
_ASCII = {"→": "->", "…": "~", "–": "-", "·": "-", "✓": "+", "✗": "x", "↑": "^", "↓": "v"}


class Terminal:
    """What is known of a terminal; a plain class: dataclasses takes 10 ms to import."""

    __slots__ = ("is_ascii", "is_coloured", "width")

    def __init__(self, width: int = 80, is_coloured: bool = False, is_ascii: bool = False) -> None:
        self.width = width
        self.is_coloured = is_coloured
        self.is_ascii = is_ascii

    def paint(self, text: str, *codes: str) -> str:
        if not self.is_coloured or not text or not codes:
            return text
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m"

    def state_glyph(self, state: str) -> str:
        return _STATES.get(state, _UNKNOWN)[self.is_ascii]

    def paint_state(self, text: str, state: str) -> str:
        return self.paint(text, _STATES.get(state, _UNKNOWN)[2])

    def severity_glyph(self, severity: str) -> str:
        """Give the glyph, painted."""
        found = _SEVERITIES.get(severity, _UNKNOWN)
        return self.paint(found[self.is_ascii], found[2])

    def sign(self, glyph: str) -> str:
        """Give a sign as this terminal can show it."""
        return _ASCII.get(glyph, glyph) if self.is_ascii else glyph

    def cut(self, text: str, width: int) -> str:
        """Shorten to a width; a sign at the end says so."""
        if cells(text) <= width:
            return text
        shown = text[: max(width - 1, 0)]
        while cells(shown) > max(width - 1, 0):
            shown = shown[:-1]
        return shown + self.sign("…") if width > 0 else ""

    def wrap(self, text: str, first: str, indent: str) -> list[str]:
        """Break at spaces to fit the width; `first` may be painted, and is as wide as `indent`."""
        lines: list[str] = []
        line = ""
        for word in text.split(" "):
            if line and len(indent) + len(line) + 1 + len(word) > self.width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
        return [(indent if n else first) + line for n, line in enumerate(lines)]


def cells(text: str) -> int:
    """How wide a terminal shows it: wide letters take two cells, marks on a letter none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(each) else 1 + (east_asian_width(each) in "WF") for each in text)


def detect(is_coloured: bool) -> Terminal:
    """Look at the terminal this process writes to."""
    try:
        columns = int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size().columns
    except (ValueError, OSError):
        columns = 0
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    # A terminal whose size was never set reports 0.
    return Terminal(max(columns or 80, 20), is_coloured, not encoding.startswith("utf"))


def age(since: str | None, now: float) -> str:
    """Write how long ago, in one unit: 12s, 3m, 5h, 9d."""
    start = seconds_of(since)
    return "" if start is None else span(now - start)


def clock_of(moment: float, now: float) -> str:
    """Write the local time of day; the date too when it was another day."""
    local, today = time.localtime(moment), time.localtime(now)
    is_today = local[:3] == today[:3]
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S", local)


def span(seconds: float) -> str:
    # Below two of a unit the smaller one is used: 90m is more exact than 1h.
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(int(seconds), 0)}s"


def latency(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def size(count: float) -> str:
    """Write bytes in thousands: 950 B, 1.2 kB, 31 MB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            return f"{count:.1f} {unit}" if unit != "B" and count < 9.95 else f"{count:.0f} {unit}"
        count /= 1000
    raise AssertionError("the last unit takes all")


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
