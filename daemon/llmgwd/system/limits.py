"""How many files and connections this process may have open; standard library only."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

# macOS reports an unlimited hard limit and refuses to set it; it allows this.
ENOUGH: Final = 65_536


def raise_limit() -> None:
    """Allow as many descriptors as the system lets this user have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Where it is refused the old limit serves a quiet day, and its end is told when it comes.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
