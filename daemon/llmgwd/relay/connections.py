"""The client connections of one forward, and which of them wait for a next request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from llmgwd.relay.connection import LocalConnection

# Clients keep a few connections each; what is above this is forgotten ones.
IDLE_LIMIT: Final = 1000


class IdleConnection(Protocol):
    def close_if_idle(self) -> bool:
        """Close it unless a request has just arrived; say whether it was closed."""


class Connections:
    """Idle connections are closed when there are too many, the longest idle first."""

    def __init__(self, idle_limit: int = IDLE_LIMIT) -> None:
        self.is_draining = False  # answers ask their clients to close from now on
        self._all: set[LocalConnection] = set()
        self._idle: dict[IdleConnection, None] = {}  # in the order in which they became idle
        self._idle_limit = idle_limit

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    @property
    def has_unwritten(self) -> bool:
        """Bytes wait here that a client has still to get."""
        return any(connection.has_unwritten for connection in self._all)

    def opened(self, connection: LocalConnection) -> None:
        self._all.add(connection)

    def closed(self, connection: LocalConnection) -> None:
        self._all.discard(connection)

    def became_idle(self, connection: IdleConnection) -> None:
        self._idle[connection] = None
        if len(self._idle) > self._idle_limit:
            self.close_idle(len(self._idle) - self._idle_limit)

    def became_busy(self, connection: IdleConnection) -> None:
        self._idle.pop(connection, None)

    def close_idle(self, count: int | None = None) -> None:
        """Close so many (None: all) of those that wait, but none on which a request has arrived."""
        for connection in list(self._idle)[:count]:
            if connection.close_if_idle():
                self._idle.pop(connection, None)

    def abort_unless(self, may_stay: Callable[[socket.socket], bool]) -> None:
        """Reset those whose socket may not stay."""
        for connection in list(self._all):
            sock = connection.socket
            if sock is not None and not may_stay(sock):
                connection.abort()

    def abort_all(self) -> None:
        for connection in list(self._all):
            connection.abort()
