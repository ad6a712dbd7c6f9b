"""A timer that runs on while the machine sleeps: timerfd_create(2) of Linux, through ctypes.

The loop's own timers stand still meanwhile, so that after an hour's sleep one of ten seconds may
still have nine to go. The `os` module has it from Python 3.13 on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from typing import Any, Final, Self

import anyio

# TFD_NONBLOCK and TFD_CLOEXEC are those of open(2).
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC
# clock_gettime(2); the `time` module has it on Linux alone, and there alone is a timerfd.
_CLOCK_BOOTTIME: Final = 7
_COUNT: Final = struct.Struct("@Q")
# struct itimerspec: an interval (none), then the seconds and nanoseconds to go.
_SPEC: Final = struct.Struct("@llll")


class BootTimer:
    """Sleeps by CLOCK_BOOTTIME for as long as the block lasts; for one sleeper."""

    def __init__(self) -> None:
        """Raises OSError: the system has none, or no descriptor is left."""
        try:
            self._libc: Any = ctypes.CDLL(None, use_errno=True)
            self._descriptor = _checked(self._libc.timerfd_create(_CLOCK_BOOTTIME, _FLAGS))
        except AttributeError as error:
            raise OSError("no timerfd on this system") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    async def sleep(self, seconds: float) -> None:
        """Return that much later, or right after the sleep of the machine that was longer."""
        spec = _SPEC.pack(0, 0, int(seconds), int(seconds % 1 * 1e9))
        _checked(self._libc.timerfd_settime(self._descriptor, 0, spec, None))
        await anyio.wait_readable(self._descriptor)
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, _COUNT.size)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
