"""RFC 3339 times: the one writer, the one reader and their order, for both sides.

By hand: datetime and strptime would cost `status` more than drawing its table, and on Python 3.11
they refuse the nanoseconds that Kubernetes writes.
"""

from __future__ import annotations

import time


def now() -> str:
    return stamp(time.time())


def stamp(seconds: float) -> str:
    """Write a time given in Unix seconds as the contract has it: in UTC, with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}Z"


def seconds_of(stamp: str | None) -> float | None:
    """Read a time as Unix seconds; None for what is none. Without an offset it is UTC."""
    try:
        text, offset_s = _without_offset(stamp or "")
        year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
        clock = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + float(text[17:])
    except ValueError:
        return None
    # The clock too: "nan" and "1e999" are numbers to float().
    if not (1 <= month <= 12 and 1 <= day <= 31 and 0 <= clock <= 86_400):
        return None
    # Days since 1970 in the proleptic Gregorian calendar, years counted from March.
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 1
    return (days - 719468) * 86400 + clock - offset_s


def order(stamp: str) -> str:
    """Make times in UTC compare as text: Kubernetes leaves out zeros at the fraction's end."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<9}"


def _without_offset(stamp: str) -> tuple[str, int]:
    if stamp[-6:-5] in ("+", "-") and stamp[-3:-2] == ":":
        offset_s = int(stamp[-5:-3]) * 3600 + int(stamp[-2:]) * 60
        return stamp[:-6], -offset_s if stamp[-6] == "-" else offset_s
    return stamp.removesuffix("Z"), 0
