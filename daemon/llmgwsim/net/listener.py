"""A port that a simulated process listens on, and that dies with it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

# A thousand connections at once must find room in the queue.
BACKLOG = 4096


class Listener:
    """Closing an `asyncio.Server` loses connections that the loop is just taking: they stay open
    and meet no one. Here they are aborted, as the kernel does when a process ends.
    """

    def __init__(self, sock: socket.socket, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        self.host, self.port = sock.getsockname()[:2]
        self.is_closed = False
        self.factory = factory
        self._sock = sock
        self._server: asyncio.AbstractServer | None = None

    @classmethod
    async def open(
        cls, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int = 0
    ) -> Listener:
        """Listen at `port`, or at a free one."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
        sock.setblocking(False)
        # Inherited by what it accepts; asyncio sets it only on sockets that name TCP.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener = cls(sock, factory)
        loop = asyncio.get_running_loop()
        listener._server = await loop.create_server(
            lambda: _Arrival(listener), sock=sock, backlog=BACKLOG
        )
        return listener

    def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        assert self._server is not None
        if isinstance(self._server, asyncio.Server):
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()
        else:
            # uvloop would listen on without the socket, and hold the port.
            self._server.close()


class _Arrival(asyncio.Protocol):
    """A connection until its protocol takes it over."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        arrived = cast("asyncio.Transport", transport)
        if self._listener.is_closed:
            arrived.abort()
            return
        protocol = self._listener.factory()
        arrived.set_protocol(protocol)
        protocol.connection_made(arrived)
