"""launch_activate_socket(3) of macOS, through ctypes: there is no other way to those sockets."""

from __future__ import annotations

import ctypes
from typing import Any


def activated(name: str, library: Any = None) -> tuple[int, ...]:
    """Give the descriptors launchd listens on under `name` in the plist's Sockets.

    Nothing, where this process was not started by launchd, or the plist has no such name: ESRCH
    and ENOENT of the manual page, which a daemon in a terminal meets every time.
    """
    try:
        call = (library or ctypes.CDLL(None)).launch_activate_socket
    except (AttributeError, OSError):
        return ()
    descriptors = ctypes.POINTER(ctypes.c_int)()
    count = ctypes.c_size_t(0)
    if call(name.encode(), ctypes.byref(descriptors), ctypes.byref(count)) != 0:
        return ()
    try:
        return tuple(descriptors[index] for index in range(count.value))
    finally:
        _free(descriptors)


def _free(descriptors: Any) -> None:
    # The array is the caller's to free; the descriptors in it live on.
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    free.restype = None
    free(descriptors)
