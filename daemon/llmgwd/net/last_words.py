"""What a peer said before it hung up, where a write is what finds it gone.

A server may answer before it has read all of a request (401, 413, 429) and close. What it did not
read has its kernel reset the connection, and the next write fails. asyncio then drops what has come
and was not read yet, though the kernel still gives it. No public way leads there through TLS; where
an attribute is gone, nothing is read.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_READ_BYTES: Final = 64 * 1024


def has_failed(transport: asyncio.BaseTransport) -> bool:
    """A write on this transport, which no one here has closed, has found its connection broken."""
    raw = _raw(transport)
    return transport.is_closing() or (raw is not None and raw.is_closing())


def read_on(transport: asyncio.BaseTransport, take: Callable[[bytes], None]) -> None:
    """Read what came of a connection on which a write has just failed; its protocol gets it with
    TLS, `take` without.
    """
    tls: Any = getattr(transport, "_ssl_protocol", None)
    raw = _raw(transport)
    sock = None if raw is None else raw.get_extra_info("socket")
    if sock is None:
        return
    with contextlib.suppress(OSError):
        while piece := os.read(sock.fileno(), _READ_BYTES):
            if tls is None:
                take(piece)
            else:
                _feed(tls, piece)


def _raw(transport: asyncio.BaseTransport) -> Any:
    """The transport of the socket itself, under TLS where there is TLS."""
    tls = getattr(transport, "_ssl_protocol", None)
    return transport if tls is None else getattr(tls, "_transport", None)


def _feed(tls: Any, piece: bytes) -> None:
    while piece:
        buffer = tls.get_buffer(len(piece))
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        tls.buffer_updated(size)
        piece = piece[size:]
