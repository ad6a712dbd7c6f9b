"""What a route is to the relay: it gives a stream for each request, and for each raw connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llmgwctl.wire import RouteKind
    from llmgwd.errors import LlmgwError
    from llmgwd.net.http1_heads import Head, RequestLine


class Stream(Protocol):
    """One stream as its owner sees it. Nothing here raises; after the end all of it is a no-op."""

    @property
    def pod(self) -> str | None:
        """The pod at its end, or None on a route to a URL."""

    def send(self, payload: bytes, /) -> None: ...

    def finish(self) -> None:
        """Say that nothing more will be sent (where the route can say it)."""

    def discard(self) -> None:
        """The answer is whole, or not wanted any more: end the stream."""

    def reset(self) -> None:
        """End the stream at once, in the middle of whatever it carries."""

    def pause(self) -> None:
        """Stop what comes (or bound it, where a tunnel is shared) until `resume`."""

    def resume(self) -> None: ...


class StreamOwner(Protocol):
    """Who uses a stream. Calls come from the event loop and must return at once."""

    @property
    def is_demand(self) -> bool:
        """A client asks: more may follow, so that tunnels and connections are kept warm."""

    @property
    def preferred_pod(self) -> str | None:
        """The pod that served this client last; taken while it is ready and not busier."""

    @property
    def avoided_pod(self) -> str | None:
        """The pod that has just failed this request; taken only where there is no other."""

    def unsent(self, pod: str | None, /) -> bytes:
        """Give what is to be sent with the opening of a stream to this pod; may be empty."""

    def stream_opened(self, stream: Stream, /) -> None:
        """Take note of the stream that now carries `unsent()`; it may already be paused."""

    def stream_data(self, payload: bytes, /) -> None: ...

    def stream_ended(self) -> None:
        """The other side has sent its last byte; what is sent from here on reaches no one."""

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool, /) -> None:
        """The stream is gone, or could not be opened.

        `is_unreceived`: provably no byte of it reached the gateway.
        """

    def unread_bytes(self) -> int:
        """Give how much of what came waits for the reader; asked only while it lags."""

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...


class Route(Protocol):
    """One way to the gateway. Everything here is called on the event loop and returns at once."""

    @property
    def kind(self) -> RouteKind: ...

    @property
    def name(self) -> str: ...

    @property
    def is_up(self) -> bool: ...

    @property
    def carries_raw(self) -> bool:
        """It carries any bytes, not only HTTP."""

    def open(self, owner: StreamOwner, /) -> None:
        """Open a stream now or as soon as there is room; `owner.stream_opened` reports it.

        Where none can be had the owner's `stream_failed` is called without a `stream_opened`.
        """

    def withdraw(self, owner: StreamOwner, /) -> None:
        """Forget an owner that waits for its stream; nothing happens to one that has it."""

    def refused(self, stream: Stream, cause: LlmgwError, /) -> None:
        """The pod at this stream's end did not take it: choose others until it takes one again."""

    def request_head(self, head: Head, line: RequestLine, /) -> Head:
        """Give a request's head as it goes over this route."""

    def response_head(self, head: Head, /) -> Head:
        """Give an answer's head as it goes to the client, without the fields of the connection."""


class Admission(Protocol):
    """The forward, as what is carried sees it: it decides which route carries it, or holds it."""

    def admit(self, carried: Carried, cause: LlmgwError | None) -> None:
        """Carry or hold what is fresh (`cause` None) or came back unreceived."""

    def ended(self, carried: Carried) -> None:
        """Forget it: its answer is whole, its client has left, or it was given up."""

    def resent(self, cause: LlmgwError) -> None:
        """A request is sent again."""

    def cut(self, cause: LlmgwError) -> None:
        """A client is cut off: it cannot be proved that its request was not received."""


class Carried(Protocol):
    """What the admission leads to a route: an exchange, or a raw connection."""

    @property
    def opened_at(self) -> float:
        """When it came, on the loop's clock; the hold counts from here."""

    def carry(self, route: Route, /) -> None:
        """Be carried by this route."""

    def was_held(self, seconds: float, /) -> None:
        """It waited so long for a route."""

    def give_up(self) -> None:
        """No route came in time, or none may be waited for: answer the client, and end."""
