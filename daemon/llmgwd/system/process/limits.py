"""What the system allows this process: descriptors as many as it can have, and no dumps."""

from __future__ import annotations

import contextlib
import resource
import sys
from typing import Final

# macOS reports an unlimited hard limit and refuses to set it; it allows this.
ENOUGH: Final = 65_536

_PR_SET_DUMPABLE: Final = 4  # <sys/prctl.h>


def raise_limit() -> None:
    """Allow as many descriptors as the system lets this user have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Where it is refused the old limit serves a quiet day, and its end is reported.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def forbid_dumps() -> None:
    """Keep the memory, with the gateway's key and the cluster's login, out of core files.

    On Linux other processes of this user can no longer read it either (ptrace, /proc/PID/mem).
    Programs that this one starts are dumpable again, but their core limit stays zero.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform.startswith("linux"):
        # Not at the top: the ports are bound before it is needed.
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
