"""Numbers as short text: bars, sparklines, amounts. Pure, no colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"


def bar(fraction: float, width: int) -> str:
    """Draw a share of `width` cells, to an eighth of a cell, full from 1 on.

    The smallest share above 0 gets one eighth, so that it shows.
    """
    eighths = round(min(max(fraction, 0.0), 1.0) * width * 8)
    if fraction > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    drawn = _EIGHTHS[8] * full + (_EIGHTHS[rest] if rest else "")
    return drawn.ljust(width)


def gauge(fraction: float, width: int) -> str:
    """Draw a share of a limit: the empty cells are shown too."""
    full = int(min(max(fraction, 0.0) * width + 0.5, width))
    if fraction > 0:
        full = max(full, 1)
    return "█" * full + "░" * (width - full)


def sparkline(values: Sequence[float | None]) -> str:
    """Draw one character a value, from nothing to the greatest; None is a gap.

    Only zero has the lowest level, so that an idle day differs from one with little.
    """
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(_level(value, top) for value in values)


def gathered(values: Sequence[float], limit: int) -> list[float]:
    """Add neighbours together until no more than `limit` are left."""
    size = -(-len(values) // limit) or 1
    return [sum(values[start : start + size]) for start in range(0, len(values), size)]


def _level(value: float | None, top: float) -> str:
    if value is None:
        return " "
    if value <= 0 or top <= 0:
        return _LEVELS[0]
    return _LEVELS[max(1, round(value / top * (len(_LEVELS) - 1)))]


def count(number: float) -> str:
    """Shorten to three digits and a letter: 950, 1.2k, 31k, 4.6M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # A number that would round up to 1000 of a unit is 1 of the next.
        if number >= size * 0.9995:
            scaled = number / size
            return f"{scaled:.1f}{letter}" if scaled < 9.95 else f"{scaled:.0f}{letter}"
    return f"{number:.0f}"


def dollars(amount: float) -> str:
    """Write cents, and more digits below a cent: a small call should not look free."""
    if amount and abs(amount) < 0.01:
        return f"${amount:.4f}" if abs(amount) >= 0.0001 else "<$0.0001"
    return f"${amount:,.2f}"
