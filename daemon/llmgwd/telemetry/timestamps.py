"""Times as the contract writes them: RFC 3339 in UTC, with milliseconds."""

from __future__ import annotations

import time


def now() -> str:
    return stamp(time.time())


def stamp(seconds: float) -> str:
    """Write a time given in seconds since 1970."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}Z"
