"""The client connections of one forward, and which of them wait for a next request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import socket

    from llmgwd.relay.connection import LocalConnection

# Clients keep a few connections each; what is above this is forgotten ones.
IDLE_LIMIT: Final = 1000


# Takes the sockets of idle connections for the next daemon, and whether their clients have spoken
# HTTP; gives how many it took, from the first.
Keep = Callable[[bool, "list[socket.socket]"], int]


class IdleConnection(Protocol):
    speaks_http: bool

    @property
    def quiet_socket(self) -> socket.socket | None:
        """Its socket, unless something of it is in this process: bytes read, or not yet written."""

    def let_go(self) -> None:
        """Close this process's copy of the socket."""

    def close_if_idle(self) -> bool:
        """Close it unless a request has just arrived; say whether it was closed."""


class Connections:
    """Idle connections are closed when there are too many, the longest idle first."""

    def __init__(self, idle_limit: int = IDLE_LIMIT) -> None:
        self.is_draining = False  # answers ask their clients to close from now on
        self._all: set[LocalConnection] = set()
        self._idle: dict[IdleConnection, None] = {}  # in the order in which they became idle
        self._between: set[IdleConnection] = set()
        self._idle_limit = idle_limit
        self._keep: Keep | None = None

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    @property
    def has_unwritten(self) -> bool:
        """Bytes wait here that a client has still to get."""
        return any(connection.has_unwritten for connection in self._all)

    @property
    def has_unread_requests(self) -> bool:
        """A client has sent its next request with the last one; a turn of the loop reads it."""
        return bool(self._between)

    def opened(self, connection: LocalConnection) -> None:
        self._all.add(connection)

    def closed(self, connection: LocalConnection) -> None:
        self._all.discard(connection)

    def became_idle(self, connection: IdleConnection) -> None:
        self._idle[connection] = None
        if self._keep is not None:
            # In a turn of its own, which comes before anything more is read.
            asyncio.get_running_loop().call_soon(self.hand_on_idle)
        if len(self._idle) > self._idle_limit:
            self.close_idle(len(self._idle) - self._idle_limit)

    def became_busy(self, connection: IdleConnection) -> None:
        self._idle.pop(connection, None)

    def next_follows(self, connection: IdleConnection) -> None:
        """It is neither idle nor carried until its next request is read."""
        self._between.add(connection)

    def next_is_read(self, connection: IdleConnection) -> None:
        self._between.discard(connection)

    def close_idle(self, count: int | None = None) -> None:
        """Close so many (None: all) of those that wait, but none on which a request has arrived."""
        for connection in list(self._idle)[:count]:
            if connection.close_if_idle():
                self._idle.pop(connection, None)

    def hand_on(self, keep: Keep) -> None:
        """Have the next daemon get what is idle, and what becomes idle from now on."""
        self._keep = keep
        self.hand_on_idle()

    def hand_on_idle(self) -> None:
        """Hand on what is idle and can be; with what is not taken, drain as without `hand_on`."""
        for speaks_http in (True, False):
            idle = [each for each in self._idle if each.speaks_http is speaks_http]
            quiet = [(each, sock) for each in idle if (sock := each.quiet_socket) is not None]
            if self._keep is None or not quiet:
                continue
            taken = self._keep(speaks_http, [sock for _, sock in quiet])
            for connection, _ in quiet[:taken]:
                connection.let_go()
                self._idle.pop(connection, None)
            if taken < len(quiet):
                self._keep, self.is_draining = None, True

    def abort_unless(self, may_stay: Callable[[socket.socket], bool]) -> None:
        """Reset those whose socket may not stay."""
        for connection in list(self._all):
            sock = connection.socket
            if sock is not None and not may_stay(sock):
                connection.abort()

    def abort_all(self) -> None:
        for connection in list(self._all):
            connection.abort()
