"""A raw connection: bytes as they come, one stream for as long as it lives.

What the client sent is kept until the first byte comes back: a failure that proves that no one
received it leads to another try (another pod, or the hold), one that does not resets the client,
as a broken server would. Nothing is ever sent twice.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from llmgwctl.wire import ConditionKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.errors import LlmgwError
    from llmgwd.relay.connection import LocalConnection
    from llmgwd.relay.context import RelayContext
    from llmgwd.relay.route import Route, Stream

# What is kept for another try. A connection with more than this on the way cannot be tried again.
KEPT_BYTES: Final = 1024 * 1024
# What is read of a client that no stream carries yet; the kernel keeps the rest.
UNSENT_BYTES: Final = 64 * 1024
# Refusals in a row, over all pods, before the forward is asked again.
TRIES: Final = 4


class Watched(Enum):
    """What a watch found in a piece of what a client said."""

    PASSES = auto()
    IS_OVER = auto()  # and so does all that follows
    IS_TAKEN = auto()  # the connection is no raw one any more


class RawConnection:
    """The user of a `LocalConnection` and the owner of its one stream."""

    is_demand = True
    preferred_pod = None
    avoided_pod = None

    def __init__(self, client: LocalConnection, context: RelayContext) -> None:
        self.opened_at = asyncio.get_running_loop().time()
        self._client = client
        self._context = context
        self._route: Route | None = None
        self._stream: Stream | None = None
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0
        self._has_answered = False
        self._has_ended = False
        self._tries = 0
        self._watch: Callable[[bytes, bool], Watched] | None = None

    def watch(self, watch: Callable[[bytes, bool], Watched]) -> None:
        """Have each piece that the client says from here on judged before it is carried; `watch`
        gets it with whether the server has spoken.
        """
        self._watch = watch

    def start(self) -> None:
        self._context.admission.admit(self, None)

    # For the admission.

    def carry(self, route: Route) -> None:
        self._tries = 0
        self._open(route)

    def was_held(self, seconds: float) -> None:
        """Raw connections leave no record."""

    def give_up(self) -> None:
        """There are no words for it in a protocol that we do not know."""
        self._end()
        self._client.write_eof()

    # As the user of the client's connection.

    def client_sent(self, payload: bytes) -> None:
        if self._watch is not None:
            found = self._watch(payload, self._has_answered)
            if found is Watched.IS_TAKEN:
                self._leave(is_reset=False)
                return
            if found is Watched.IS_OVER:
                self._watch = None
        if self._kept is not None:
            self._keep(payload)
        if self._stream is not None:
            self._stream.send(payload)

    def client_finished(self) -> None:
        """Keep the FIN back: the server might drop its answer (uvicorn does, at once)."""

    def client_gone(self, is_reset: bool) -> None:
        self._leave(is_reset=is_reset)

    def client_stalled(self) -> None:
        if self._stream is not None:
            self._stream.pause()

    def client_reads_again(self) -> None:
        if self._stream is not None:
            self._stream.resume()

    # As the owner of a stream.

    def unsent(self, pod: str | None) -> bytes:
        assert self._kept is not None
        return b"".join(self._kept)

    def stream_opened(self, stream: Stream) -> None:
        if self._has_ended:
            stream.discard()
            return
        self._stream = stream
        if self._client.is_stalled:
            stream.pause()
        self._client.resume_reading()

    def stream_data(self, payload: bytes) -> None:
        self._has_answered = True
        self._kept = None
        self._client.write(payload)

    def stream_ended(self) -> None:
        stream, self._stream = self._stream, None
        self._end()
        self._client.write_eof()
        if stream is not None:
            stream.finish()

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool) -> None:
        stream, self._stream = self._stream, None
        if self._has_ended:
            return
        if stream is None:
            self._context.admission.admit(self, cause)
        elif not is_unreceived or self._has_answered or self._kept is None:
            self._context.admission.cut(cause)
            self._end()
            self._client.abort()
        else:
            self._again(stream, cause)

    def unread_bytes(self) -> int:
        return self._client.unread_bytes()

    def pause_sending(self) -> None:
        self._client.pause_reading()

    def resume_sending(self) -> None:
        self._client.resume_reading()

    # Inside.

    def _open(self, route: Route) -> None:
        self._route = route
        self._tries += 1
        if route.carries_raw:
            route.open(self)
        else:
            self.give_up()

    def _again(self, stream: Stream, cause: LlmgwError) -> None:
        self._context.admission.resent(cause)
        route = self._route
        assert route is not None
        if cause.code == ConditionKind.DIAL_REFUSED:
            route.refused(stream, cause)
        if route.is_up and self._tries < TRIES:
            self._open(route)
        else:
            self._context.admission.admit(self, cause)

    def _keep(self, payload: bytes) -> None:
        assert self._kept is not None
        self._kept_bytes += len(payload)
        self._kept.append(payload)
        if self._stream is None:
            # Still in line: the bytes go with the opening.
            if self._kept_bytes >= UNSENT_BYTES:
                self._client.pause_reading()
        elif self._kept_bytes > KEPT_BYTES:
            self._kept = None

    def _leave(self, *, is_reset: bool) -> None:
        stream, self._stream = self._stream, None
        self._end()
        if stream is None:
            if self._route is not None:
                self._route.withdraw(self)
        elif is_reset:
            stream.reset()
        else:
            stream.discard()

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._context.admission.ended(self)
