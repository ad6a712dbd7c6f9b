"""What a peer said before it hung up, where a write is what finds it gone.

A server may answer before it has read all of a request (401, 413, 429) and close. What it did not
read has its kernel reset the connection, and the next write fails. asyncio then drops what has come
and was not read yet, though the kernel still gives it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_READ_BYTES: Final = 64 * 1024


def read_on(below: asyncio.Transport, take: Callable[[bytes], None]) -> None:
    """Read what came of a connection whose last write has just failed.

    `below` is the transport of the socket. With TLS its protocol is TLS, which gives what it
    decodes to the protocol above; without, `take` gets it.
    """
    protocol = below.get_protocol()
    sock = below.get_extra_info("socket")
    with contextlib.suppress(OSError):
        while piece := os.read(sock.fileno(), _READ_BYTES):
            # uvloop's TLS is of no class of asyncio's.
            if hasattr(protocol, "buffer_updated"):
                _feed(protocol, piece)
            else:
                take(piece)


def _feed(tls: Any, piece: bytes) -> None:
    while piece:
        buffer = tls.get_buffer(len(piece))
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        tls.buffer_updated(size)
        piece = piece[size:]
