"""The local ports: bound first of all, served when the loop runs, let go last.

`bind` needs nothing but the standard library, so that a port is there within milliseconds of the
daemon's start; the kernel queues who comes before the loop serves them.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from llmgwd.config import ListenAddress
    from llmgwd.relay.ledger import Ledger
    from llmgwd.relay.route import Admission

# What the kernel may queue while the loop is busy; Linux caps it at net.core.somaxconn (4,096).
BACKLOG: Final = 4096


def bind(address: ListenAddress) -> socket.socket:
    """Bind and listen on one address.

    Raises:
        OSError: EADDRINUSE, EACCES (a port below 1,024), EADDRNOTAVAIL (no IPv6), EAFNOSUPPORT.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A daemon that restarts must not wait for TIME_WAIT; this does not let two listen at once.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """Accepts on bound sockets and hands each connection to the forward's admission."""

    def __init__(self, admission: Admission, ledger: Ledger) -> None:
        self._admission = admission
        self._ledger = ledger
        self._servers: dict[socket.socket, asyncio.Server] = {}

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return tuple(self._servers)

    async def serve(self, sock: socket.socket) -> None:
        """Start to accept on a bound socket, which belongs to the listener from here on."""
        import asyncio

        from llmgwd.relay.connection import LocalConnection

        def accept() -> LocalConnection:
            return LocalConnection(self._admission, self._ledger)

        loop = asyncio.get_running_loop()
        # Never the server's own closing of connections: the forward drains them.
        self._servers[sock] = await loop.create_server(accept, sock=sock, backlog=BACKLOG)

    def close(self, sockets: Iterable[socket.socket] | None = None) -> None:
        """Stop accepting; connections that were accepted live on. Those in the queue are reset."""
        for sock in list(self._servers if sockets is None else sockets):
            with contextlib.suppress(KeyError):
                self._servers.pop(sock).close()
