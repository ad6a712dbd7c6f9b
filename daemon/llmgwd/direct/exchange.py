"""Joins one local connection to one upstream connection, and decides how each end ends the other.

A clean end for the client is one that upstream made at the end of a message; everything else
resets the client, because the end of the connection may be all that tells a cut answer from a
whole one. Nothing is ever sent twice.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from llmgwctl.wire import ConditionKind
from llmgwd.direct.rewrite import method_of, rewrite_request, rewrite_response
from llmgwd.errors import LlmgwError, Transient
from llmgwd.net.http1 import (
    REQUEST_START,
    RESPONSE_START,
    BadMessage,
    Body,
    End,
    Head,
    Length,
    MessageReader,
    request_length,
    response_length,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.direct.rewrite import Address
    from llmgwd.direct.upstream import Upstream


class Carrier(Protocol):
    """What a local connection calls while this route carries it."""

    def client_sent(self, payload: bytes) -> None: ...
    def client_finished(self) -> None: ...
    def client_gone(self, is_reset: bool) -> None: ...
    def client_stalled(self) -> None: ...
    def client_reads_again(self) -> None: ...


class Client(Protocol):
    """A local connection, as far as this route needs it; the relay's is one."""

    sent: list[bytes]

    @property
    def has_finished(self) -> bool: ...
    @property
    def is_closed(self) -> bool: ...
    def attach(self, carrier: Carrier, /) -> None: ...
    def give_back(self, cause: LlmgwError, /) -> None: ...
    def write(self, payload: bytes, /) -> None: ...
    def write_eof(self) -> None: ...
    def answer(self, response: bytes | None, /) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Exchange:
    """Carries all that one local connection asks, until either side ends it.

    `ended` is called once, when both sides are done with; `cut` with the cause, when the client
    had to be reset.
    """

    def __init__(
        self,
        client: Client,
        upstream: Upstream,
        address: Address,
        ended: Callable[[Exchange], None],
        cut: Callable[[Client, LlmgwError], None],
    ) -> None:
        self.is_draining = False
        self._client = client
        self._upstream = upstream
        self._address = address
        self._ended = ended
        self._cut = cut
        self._requests = MessageReader(REQUEST_START, request_length)
        self._responses = MessageReader(RESPONSE_START, self._response_length)
        self._asked: deque[bytes] = deque()  # methods without their final answer
        self._is_upgraded = False
        self._is_last = False  # the answer that is passing now told the client so
        self._is_over = False

    def start(self) -> None:
        self._upstream.take(self)
        self._client.attach(self)
        sent, self._client.sent = b"".join(self._client.sent), []
        if sent:
            self.client_sent(sent)
        if self._client.has_finished:
            self.client_finished()

    def close_if_idle(self) -> None:
        """End it if the client waits for nothing now; a request that is on its way is lost."""
        is_idle = self._responses.is_between and not self._asked and self._requests.is_between
        if is_idle and not self._is_over:
            self._finish()

    def abandon(self) -> None:
        """The route ends: so does this, whatever it is in."""
        if not self._is_over:
            self._break("the route was closed")

    # As the carrier of a local connection.

    def client_sent(self, payload: bytes) -> None:
        if self._is_over:
            return
        try:
            passing = b"".join(map(self._request_bytes, self._requests.feed(payload)))
        except BadMessage as error:
            is_answering = bool(self._asked) or not self._responses.is_between
            self._end(self._upstream.abort)
            if is_answering:
                self._client.abort()
            else:
                self._client.answer(_bad_request(str(error)))
            return
        if passing:
            self._upstream.write(passing)

    def client_finished(self) -> None:
        """Keep the FIN back while an answer may come: servers drop it when they see one."""
        if self._is_over:
            return
        if self._is_upgraded:
            self._upstream.finish()
        elif self._responses.is_between and not self._asked:
            self._end(self._upstream.close)
            self._client.write_eof()

    def client_gone(self, is_reset: bool) -> None:
        if not self._is_over:
            self._end(self._upstream.abort)

    def client_stalled(self) -> None:
        self._upstream.pause()

    def client_reads_again(self) -> None:
        self._upstream.resume()

    # As the user of an upstream connection.

    def upstream_data(self, data: bytes) -> None:
        passing: list[bytes] = []
        try:
            for event in self._responses.feed(data):
                passing.append(self._response_bytes(event))
                if self._is_last and isinstance(event, End):
                    self._client.write(b"".join(passing))
                    self._finish()
                    return
        except BadMessage as error:
            self._break(f"its answer is not HTTP/1 ({error})")
            return
        if payload := b"".join(passing):
            self._client.write(payload)
        if self._client.has_finished and not self._is_upgraded:
            self.client_finished()

    def upstream_ended(self) -> None:
        if not self._responses.may_close:
            self._break("it closed the connection in the middle of an answer")
        elif self._asked and self._responses.is_between:
            self._break("it closed the connection without an answer")
        else:
            self._finish()

    def upstream_lost(self, cause: Exception | None) -> None:
        if self._is_over:
            return
        if self._responses.is_between and not self._asked:
            # It answered before it had read the request to its end, and closed: a whole answer.
            self._finish()
        else:
            self._break(
                "the connection broke" if cause is None else f"the connection broke: {cause}"
            )

    def upstream_stalled(self) -> None:
        self._client.pause_reading()

    def upstream_reads_again(self) -> None:
        self._client.resume_reading()

    # Inside.

    def _request_bytes(self, event: Head | Body | End) -> bytes:
        if isinstance(event, Head):
            self._asked.append(method_of(event))
            return rewrite_request(event, self._address)
        return event.payload if isinstance(event, Body) else b""

    def _response_bytes(self, event: Head | Body | End) -> bytes:
        if not isinstance(event, Head):
            return event.payload if isinstance(event, Body) else b""
        status = status_of(event)
        if status >= 200 or status == 101:
            if self._asked:
                self._asked.popleft()
            self._is_last = self.is_draining and not self._asked and status != 101
        if status == 101:
            self._is_upgraded = True
            self._upstream.write(self._requests.pass_all())
        return rewrite_response(event, self._address, is_last=self._is_last)

    def _response_length(self, head: Head) -> int | Length:
        if not self._asked:
            raise BadMessage("an answer that nobody asked for")
        return response_length(head, self._asked[0])

    def _finish(self) -> None:
        """End both sides at the end of a message."""
        self._end(self._upstream.close)
        self._client.write_eof()

    def _break(self, how: str) -> None:
        """Reset the client: it must not take what it has for the whole."""
        self._end(self._upstream.abort)
        cause = Transient(
            ConditionKind.URL_UNREACHABLE, f"{self._address} failed a request: {how}."
        )
        self._cut(self._client, cause)
        self._client.abort()

    def _end(self, leave: Callable[[], None]) -> None:
        self._is_over = True
        leave()
        self._ended(self)


_BAD: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"


def _bad_request(what: str) -> bytes:
    message = f"llmgw: This is not a request it can pass on ({what})."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    body = json.dumps({"error": error}).encode()
    return _BAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
