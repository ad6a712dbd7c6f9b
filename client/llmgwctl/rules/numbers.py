"""Numbers as others wrote them: finite, and small enough to be counted with."""

from __future__ import annotations

_MOST = 1e18


def number(value: object) -> float | None:
    """Give a number, or a text of one as LiteLLM writes some; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if -_MOST < found < _MOST else None  # so is NaN left out
