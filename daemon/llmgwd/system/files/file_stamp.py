"""Says whether a file has changed without reading it."""

from __future__ import annotations

import os
from stat import S_ISDIR
from typing import Final

# Of a folder, this many of the files in it count; one of logins holds a few.
_MAX_LOOKED_AT: Final = 200

Stamp = tuple[int, int, int]
Mark = tuple[tuple[str, Stamp | None], ...]


def mark(path: str) -> Mark:
    """Something that differs when the file does: where it is, when it was written, how long it is.

    Of a folder, that and the same of each file in it. A link counts as what it leads to.
    """
    own, is_folder = _stamp(path)
    inside = _inside(path) if is_folder else []
    return (("", own), *((name, _stamp(os.path.join(path, name))[0]) for name in inside))


def _stamp(path: str) -> tuple[Stamp | None, bool]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # a path with NUL in it is no path
        return None, False
    return (status.st_ino, status.st_mtime_ns, status.st_size), S_ISDIR(status.st_mode)


def _inside(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))[:_MAX_LOOKED_AT]
    except OSError:
        return []
