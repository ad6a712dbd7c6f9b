"""From a connected socket to a transport with its protocol, and TLS between them where wanted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar, cast, runtime_checkable

from llmgwd.net.tls import name_to_verify
from llmgwd.net.tls_reading import bound_reads
from llmgwd.system.process import memory

# A watch on a dead path ends by its read time-out; this lets the kernel notice sooner.
_KEEPALIVE_IDLE_S, _KEEPALIVE_EVERY_S, _KEEPALIVE_COUNT = 15, 5, 3

bound_reads()

P = TypeVar("P", bound=asyncio.Protocol)


@runtime_checkable
class SeesSocket(Protocol):
    """A protocol that wants the transport of its socket as well, where TLS is above it.

    No transport of TLS tells on every loop, so the other is made first, and TLS on top of it.
    """

    def socket_connected(self, below: asyncio.Transport) -> None: ...


async def transport_on(
    sock: socket.socket,
    factory: Callable[[], P],
    tls: ssl.SSLContext | None,
    tls_name: str,
    shutdown_s: float | None,
) -> tuple[asyncio.Transport, P]:
    """Put a transport, with TLS where there is a context, onto a connected socket.

    A failure or a cancellation ends the connection and leaves it to the transport to close the
    socket. Closed here, the number of its descriptor was free for the next connection while the
    transport still read by it: a dial that was cancelled just after its TLS handshake (asyncio then
    waits for the peer's goodbye) later took that other connection out of the loop.
    """
    try:
        _tune(sock)
        loop, protocol = asyncio.get_running_loop(), factory()
        if isinstance(protocol, SeesSocket) and tls is not None:
            below, _ = await loop.create_connection(_Unread, sock=sock)
            return await with_tls(below, protocol, tls, tls_name, shutdown_s)
        if tls is not None:
            memory.dialled_with_tls()
        return await loop.create_connection(
            lambda: protocol,
            sock=sock,
            ssl=tls,
            server_hostname=name_to_verify(tls_name) if tls else None,
            ssl_shutdown_timeout=shutdown_s if tls else None,
        )
    except BaseException:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        raise


class _Unread(asyncio.Protocol):
    """Leaves all that comes to the protocol after it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).pause_reading()


async def with_tls(
    below: asyncio.Transport,
    protocol: P,
    tls: ssl.SSLContext,
    tls_name: str,
    shutdown_s: float | None,
) -> tuple[asyncio.Transport, P]:
    """Speak TLS on a transport whose reading is paused."""
    memory.dialled_with_tls()
    if isinstance(protocol, SeesSocket):
        protocol.socket_connected(below)
    transport = await asyncio.get_running_loop().start_tls(
        below,
        protocol,
        tls,
        server_hostname=name_to_verify(tls_name),
        ssl_shutdown_timeout=shutdown_s,
    )
    assert transport is not None
    protocol.connection_made(transport)
    return transport, protocol


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)
    if idle is not None:
        sock.setsockopt(socket.IPPROTO_TCP, idle, _KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_EVERY_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_COUNT)
