"""inotify(7) of Linux, through ctypes: a word for each change in a folder, and none in between.

No package for it: the ones there are either poll in a thread of their own (watchfiles wakes twenty
times a second to look at its stop event) or bring a loop along.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable
from typing import Any, Final, Self

# <sys/inotify.h>: IN_NONBLOCK and IN_CLOEXEC are those of open(2).
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC
_MODIFY, _ATTRIB, _MOVED_FROM, _MOVED_TO = 0x2, 0x4, 0x40, 0x80
_CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x100, 0x200, 0x400, 0x800
_ONLY_FOLDERS: Final = 0x0100_0000
# Nothing that reading a file causes: a file that is read for its mark must not be a change.
_CHANGES: Final = (
    *(_MODIFY, _ATTRIB, _MOVED_FROM, _MOVED_TO),
    *(_CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF),
)
_MASK: Final = sum(_CHANGES) | _ONLY_FOLDERS
_READ_BYTES: Final = 65_536


class Inotify:
    """Watches folders for as long as the block lasts; `fileno` is readable after a change."""

    def __init__(self) -> None:
        """Raises OSError: the system has none, or this user has too many."""
        try:
            self._libc: Any = ctypes.CDLL(None, use_errno=True)
            self._descriptor = _checked(self._libc.inotify_init1(_FLAGS))
        except AttributeError as error:
            raise OSError("no inotify on this system") from error
        self._watches: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def watch(self, folders: Iterable[str]) -> None:
        """Watch these folders and no other.

        A folder that was watched is watched anew: its name may lead to another one by now.

        Raises:
            OSError: the kernel allows no more watches (ENOSPC).
        """
        before, self._watches = self._watches, {}
        for folder in folders:
            # One that has gone a moment ago: its own folder is watched the next time.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                path = os.fsencode(folder)
                self._watches[folder] = _checked(
                    self._libc.inotify_add_watch(self._descriptor, path, _MASK)
                )
        for gone in set(before.values()) - set(self._watches.values()):
            self._libc.inotify_rm_watch(self._descriptor, gone)

    def drain(self) -> None:
        """Forget the words that came: what has changed is seen by looking."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, _READ_BYTES):
                pass


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
