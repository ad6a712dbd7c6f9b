"""The local ports: bound first of all, served when the loop runs, let go last.

`bind` needs nothing but the standard library, so that a port is there within milliseconds of the
daemon's start; the kernel queues who comes before the loop serves them.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any, Final

from llmgwd.config.address import family
from llmgwd.config.model import Protocol
from llmgwd.listening.allowed_users import Verdict, reset_when_closed, whose

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterable

    from llmgwd.config.model import ListenAddress
    from llmgwd.listening.allowed_users import AllowedUsers
    from llmgwd.relay.context import RelayContext

# What the kernel may queue while the loop is busy; Linux caps it at net.core.somaxconn (4,096).
BACKLOG: Final = 4096
# So that a crowd at the door does not keep those inside waiting.
ACCEPTS_A_TURN: Final = 256
# Out of descriptors: the queue of the kernel holds who comes meanwhile.
ACCEPT_AGAIN_S: Final = 1.0


def bind(address: ListenAddress) -> socket.socket:
    """Bind and listen on one address.

    Raises:
        OSError: EADDRINUSE, EACCES (a port below 1,024), EADDRNOTAVAIL (no IPv6), EAFNOSUPPORT.
    """
    sock = socket.socket(family(address.host), socket.SOCK_STREAM)
    try:
        # A daemon that restarts must not wait for TIME_WAIT; this does not let two listen at once.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _started(
    loop: asyncio.AbstractEventLoop, welcome: Coroutine[Any, Any, None]
) -> asyncio.Task[None]:
    """Make the task of a coroutine, begun already where Python can do that."""
    import asyncio

    if sys.version_info >= (3, 12):
        return asyncio.Task(welcome, loop=loop, eager_start=True)
    return loop.create_task(welcome)


class Listener:
    """Accepts on bound sockets and hands each connection to the relay.

    Not asyncio's server: out of descriptors, that one (3.11 to 3.13) goes on with its whole backlog
    of accepts, each of which reports and schedules a retry, and stops the loop for minutes.
    """

    def __init__(
        self,
        context: RelayContext,
        allowed: AllowedUsers | None = None,
        note_refusal: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._allowed = allowed  # None: anyone
        self.is_peer_unknown = False  # the system did not tell whose a connection is
        self._context = context
        self._note_refusal = note_refusal
        self._sockets: dict[socket.socket, asyncio.TimerHandle | None] = {}
        self._welcomes: set[asyncio.Task[None]] = set()

    async def serve(self, sock: socket.socket) -> None:
        """Start to accept on a bound socket, which belongs to the listener from here on."""
        from llmgwd.system import peer_socket

        peer_socket.can_tell()
        sock.setblocking(False)
        # Inherited by what it accepts. asyncio sets it only on sockets whose protocol is named, and
        # one that was handed over names none on every system; without it, an event of an answer
        # waits for the client's acknowledgement of the one before, up to 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch(sock)

    def take_over(self, connection: socket.socket, *, speaks_http: bool) -> None:
        """Serve a connection that another daemon accepted, and that is idle."""
        if speaks_http and self._context.protocol is Protocol.TCP:
            # Its client has spoken HTTP where bytes are to pass raw now.
            connection.close()
        else:
            self._receive(connection, speaks_http=speaks_http)

    def allow(self, allowed: AllowedUsers) -> None:
        """Admit these from now on; connections that others have are reset."""
        if allowed != self._allowed:
            self._allowed = allowed
            self._context.connections.abort_unless(self._admits)

    def close(self, sockets: Iterable[socket.socket] | None = None) -> None:
        """Stop accepting; connections that were accepted live on. Those in the queue are reset."""
        for sock in list(self._sockets if sockets is None else sockets):
            if sock in self._sockets:
                self._unwatch(sock)
                del self._sockets[sock]
                sock.close()

    async def welcomed(self) -> None:
        """Return when all connections that were accepted are among the relay's."""
        import asyncio

        if self._welcomes:
            await asyncio.wait(self._welcomes)

    def _watch(self, sock: socket.socket) -> None:
        import asyncio

        self._sockets[sock] = None
        asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def _unwatch(self, sock: socket.socket) -> None:
        import asyncio

        timer = self._sockets[sock]
        if timer is not None:
            timer.cancel()
        asyncio.get_running_loop().remove_reader(sock)

    def _accept(self, sock: socket.socket) -> None:
        """Accept all that wait, up to a turn's worth."""
        import asyncio

        for _ in range(ACCEPTS_A_TURN):
            try:
                accepted, _address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                loop = asyncio.get_running_loop()
                message = "a connection could not be accepted"
                loop.call_exception_handler({"message": message, "exception": error})
                self._unwatch(sock)
                self._sockets[sock] = loop.call_later(ACCEPT_AGAIN_S, self._watch, sock)
                return
            self._receive(accepted, speaks_http=False)

    def _receive(self, accepted: socket.socket, *, speaks_http: bool) -> None:
        import asyncio

        if not self._admits(accepted):
            reset_when_closed(accepted)
            accepted.close()
            return
        accepted.setblocking(False)
        # No task group: accepting is a callback of the byte path, and a task group's child that
        # failed would end its neighbours. Each ends within its own bounds.
        loop = asyncio.get_running_loop()
        welcome = _started(loop, self._welcome(accepted, speaks_http))
        self._welcomes.add(welcome)
        welcome.add_done_callback(self._welcomes.discard)

    def _admits(self, accepted: socket.socket) -> bool:
        """Is it of someone who may connect? Others are reset before a byte of theirs is read."""
        if self._allowed is None:
            return True
        verdict, peer = self._allowed.judge_connection(accepted)
        if verdict is not Verdict.FOREIGN:
            self.is_peer_unknown = verdict is Verdict.UNKNOWN
            return True
        if reason := whose(peer):
            self._note_refusal(reason)
        return False

    async def _welcome(self, accepted: socket.socket, speaks_http: bool) -> None:
        import asyncio

        from llmgwd.relay.connection import LocalConnection
        from llmgwd.relay.detection import detect, go_on

        first_user = go_on if speaks_http else detect

        def connection() -> LocalConnection:
            return LocalConnection(
                self._context, lambda client: first_user(client, self._context), accepted
            )

        allowed, loop = self._allowed, asyncio.get_running_loop()
        try:
            _, welcomed = await loop.connect_accepted_socket(connection, accepted)
        except OSError:
            # It left before it was welcomed.
            accepted.close()
            return
        if allowed is not self._allowed and welcomed.socket and not self._admits(welcomed.socket):
            welcomed.abort()
