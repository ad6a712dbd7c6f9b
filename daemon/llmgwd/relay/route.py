"""What a route is to the relay, and what the relay is to a forward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llmgwctl.wire import RouteKind
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.connection import LocalConnection


class Route(Protocol):
    """One way to the gateway that can carry local connections.

    Everything here is called on the event loop and returns at once.
    """

    @property
    def kind(self) -> RouteKind: ...

    @property
    def name(self) -> str: ...

    @property
    def is_up(self) -> bool: ...

    def carry(self, connection: LocalConnection) -> None:
        """Take over a connection whose first bytes (if any) are in `connection.sent`.

        The route ends it by closing it, or gives it back by `connection.give_back(cause)` when
        provably nobody received a byte of it.
        """


class Admission(Protocol):
    """The forward, as its connections see it: it decides who carries or holds them."""

    def admit(self, connection: LocalConnection, cause: LlmgwError | None) -> None:
        """Carry or hold a connection that is fresh (`cause` None) or was given back."""

    def closed(self, connection: LocalConnection) -> None:
        """Forget a connection; called exactly once for each that was accepted."""

    def redialed(self, connection: LocalConnection, cause: LlmgwError) -> None:
        """A connection is sent again, because nobody had received it."""

    def cut(self, connection: LocalConnection, cause: LlmgwError) -> None:
        """A connection is closed, because it cannot be proved that nobody had received it."""
