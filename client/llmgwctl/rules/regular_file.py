"""Reads files that others may have put there: regular ones only, and no more than a bound of each.

Opening a FIFO waits, a device can be read for ever, and both may stand where a file
is meant to. What is refused is an OSError with a sentence, as what the system refuses.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

# Far above any token, key or bundle of authorities.
MAX_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 256 << 10


def read(path: str | os.PathLike[str], most_bytes: int = MAX_BYTES) -> bytes:
    """Read a whole file; blocks as long as its disk does.

    Raises:
        OSError: it cannot be read, is no regular file, or is above `most_bytes`.
    """
    return read_with_mode(path, most_bytes)[0]


def read_text(path: str | os.PathLike[str], most_bytes: int = MAX_BYTES) -> str:
    """Read a whole file as UTF-8, its line ends as "\\n".

    Raises:
        OSError: as `read`, or the bytes are not UTF-8.
    """
    try:
        text = read(path, most_bytes).decode("utf-8")
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, "not UTF-8 text") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_with_mode(path: str | os.PathLike[str], most_bytes: int = MAX_BYTES) -> tuple[bytes, int]:
    """Read a whole file, and give the mode of the very file that was read; raises as `read`."""
    content, mode = _read(path, most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"above {most_bytes} bytes")
    return content, mode


def read_start(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Read no more than that of a file of any size; raises as `read`."""
    return _read(path, most_bytes)[0]


def _read(path: str | os.PathLike[str], most_bytes: int) -> tuple[bytes, int]:
    try:
        # O_NONBLOCK: else opening a FIFO waits until another process writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the path
        raise OSError(errno.EINVAL, "not a path") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = bytearray()
        # In /proc and on some network file systems the announced size is not the real one.
        while chunk := os.read(descriptor, min(_CHUNK_BYTES, most_bytes - len(content))):
            content += chunk
    finally:
        os.close(descriptor)
    return bytes(content), mode
