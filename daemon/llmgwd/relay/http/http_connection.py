"""A client's HTTP connection: it ends here, and each request on it is an exchange of its own.

Requests are read one at a time and answered in order. While one is under way a little of what
follows is read, so that a client that leaves is noticed at once; the rest waits in the kernel.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from llmgwd.gateway.error_answer import Trouble, error_answer
from llmgwd.net.http1 import REQUEST_START, Body, End, HeadTooLarge, MessageReader
from llmgwd.net.http1_heads import BadMessage, Head, judge_request, request_length
from llmgwd.relay.http.exchange import Exchange
from llmgwd.relay.http.kept_request import KeptRequest
from llmgwd.relay.http.web_guard import REFUSED_PAGE

if TYPE_CHECKING:
    import socket

    from llmgwd.relay.connection import LocalConnection
    from llmgwd.relay.context import RelayContext

# From a head's first byte to its end.
HEAD_S: Final = 30.0
# What is read of a client whose request is not carried yet, or of requests that wait their turn.
WAITING_BYTES: Final = 64 * 1024


class HttpConnection:
    """The user of a `LocalConnection` that speaks HTTP/1."""

    speaks_http = True

    def __init__(self, client: LocalConnection, context: RelayContext) -> None:
        self.last_pod: str | None = None  # that served it; sessions and caches live in a pod
        self.persists = True  # what the answer that is passing told the client
        self._client = client
        self._context = context
        self._reader = MessageReader(REQUEST_START, request_length)
        self._exchange: Exchange | None = None
        self._unsent_bytes = 0  # of a body, while no stream carries it
        self._is_body_paused = False
        self._is_over = False  # our last byte is said: what may still wait is not read
        self._head_timer: asyncio.TimerHandle | None = None
        self._became_idle()

    # As the user of the client's connection.

    def client_sent(self, payload: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.has_stream and self._reader.passes(payload):
            exchange.client_sent(payload)
        elif exchange is None or not exchange.request.is_whole:
            self._read(payload)
        elif exchange.is_upgraded:
            exchange.client_sent(payload)
        else:
            self._reader.rest += payload
            self._settle_reading()

    def client_finished(self) -> None:
        """The client said its last byte: an answer may still be wanted, a request will not come."""
        exchange = self._exchange
        if exchange is None:
            if not self._reader.rest:
                self._end()
        elif not exchange.request.is_whole:
            self._client.abort()

    def client_gone(self, is_reset: bool) -> None:
        self._stop_timer()
        self._context.connections.became_busy(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone(is_reset)

    def client_stalled(self) -> None:
        if self._exchange is not None:
            self._exchange.client_stalled()

    def client_reads_again(self) -> None:
        if self._exchange is not None:
            self._exchange.client_reads_again()
        else:
            self._go_on()

    # For the exchange.

    @property
    def is_stalled(self) -> bool:
        return self._client.is_stalled

    def write(self, payload: bytes) -> None:
        self._client.write(payload)

    def unread_bytes(self) -> int:
        return self._client.unread_bytes()

    def abort(self) -> None:
        self._exchange = None
        self._client.abort()

    def pause_body(self) -> None:
        self._is_body_paused = True
        self._settle_reading()

    def let_body_flow(self) -> None:
        self._is_body_paused = False
        self._unsent_bytes = 0
        self._settle_reading()

    def was_upgraded(self) -> None:
        """The connection is raw from here on; what came behind the request goes the same way."""
        exchange = self._exchange
        if exchange is None or not exchange.request.is_whole:
            return
        early, self._reader.rest = self._reader.rest, b""
        if early:
            exchange.client_sent(early)
        self._settle_reading()

    def may_persist(self, request: KeptRequest) -> bool:
        """Would a next request be read after this one?"""
        if self._context.connections.is_draining or self._has_sent_all:
            return False
        tokens = request.head.tokens(b"connection")
        if request.line.minor == b"0":
            return b"keep-alive" in tokens
        return b"close" not in tokens

    def exchange_ended(self, persists: bool) -> None:
        """The answer is written; go on with the next request, or close."""
        self._exchange = None
        if not persists or self._has_sent_all:
            self._end()
            return
        self._is_body_paused = False
        self._unsent_bytes = 0
        if not self._reader.rest:
            self._became_idle()
        self._go_on()

    # For the connections of the forward.

    def close_if_idle(self) -> bool:
        """Close it unless bytes have arrived that were not read yet: they may be a request."""
        if self._exchange is not None or self._client.has_unread_input():
            return False
        self.let_go()
        return True

    @property
    def quiet_socket(self) -> socket.socket | None:
        is_idle = self._exchange is None and self._reader.is_between
        return self._client.quiet_socket if is_idle else None

    def let_go(self) -> None:
        self._stop_timer()
        self._client.close()

    # Inside.

    @property
    def _has_sent_all(self) -> bool:
        """The client half-closed, and nothing that it sent before waits here."""
        return self._client.has_finished and not self._reader.rest

    def _end(self) -> None:
        self._is_over = True
        self._reader.rest = b""
        self._stop_timer()
        self._client.write_eof()

    def _go_on(self) -> None:
        """Go on to the next request, but not while the client leaves our answers unread."""
        if self._reader.rest and not self._client.is_stalled:
            # In a turn of its own: answers that need no route would nest for each pipelined one.
            self._context.connections.next_follows(self)
            asyncio.get_running_loop().call_soon(self._read_next)
        self._settle_reading()

    def _read_next(self) -> None:
        self._context.connections.next_is_read(self)
        if self._exchange is not None or self._is_over or self._client.is_closed:
            return
        self._read(b"")
        if not self._client.has_finished:
            return
        if self._exchange is None:
            # Answered already, or a head whose end will not come.
            if not self._reader.rest:
                self._end()
        elif not self._exchange.request.is_whole:
            self._client.abort()

    def _read(self, payload: bytes) -> None:
        """Take bytes of a request; hand a fresh one over with what has come of its body."""
        fresh: Exchange | None = None
        try:
            events = self._reader.feed(payload)
            if events and isinstance(events[0], Head):
                fresh = self._begin(events[0])
        except BadMessage as error:
            self._refuse(error)
            return
        for event in events:
            if isinstance(event, Body):
                self._take_body(event.payload)
            elif isinstance(event, End) and self._exchange is not None:
                self._exchange.request.is_whole = True
                if self._exchange.is_upgraded:
                    self.was_upgraded()
        if fresh is not None:
            self._settle_reading()
            self._admit(fresh)
        elif self._exchange is None:
            self._await_head()

    def _admit(self, exchange: Exchange) -> None:
        request = exchange.request
        trouble = self._context.guard.refusal(request.head, request.line)
        if trouble is None:
            exchange.ask()
        else:
            self._context.note_refusal(REFUSED_PAGE)
            exchange.refuse(trouble)

    def _begin(self, head: Head) -> Exchange:
        self._stop_timer()
        line = judge_request(head)
        self._context.connections.became_busy(self)
        self.persists = True
        request = KeptRequest(head, line, self._context.budget)
        self._exchange = exchange = Exchange(self, request, self._context)
        return exchange

    def _take_body(self, payload: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if not exchange.has_stream:
            self._unsent_bytes += len(payload)
        exchange.client_sent(payload)
        self._settle_reading()

    def _settle_reading(self) -> None:
        """Read on, unless the stream is full or enough waits here already."""
        exchange = self._exchange
        if exchange is not None and (exchange.is_upgraded or not exchange.request.is_whole):
            is_full = self._is_body_paused or self._unsent_bytes >= WAITING_BYTES
        else:
            is_unread = exchange is None and self._client.is_stalled
            is_full = is_unread or len(self._reader.rest) >= WAITING_BYTES
        if is_full:
            self._client.pause_reading()
        else:
            self._client.resume_reading()

    def _await_head(self) -> None:
        """No request is under way: one that has begun must end within its time."""
        if not self._reader.is_in_head:
            self._became_idle()
        elif self._head_timer is None:
            self._context.connections.became_busy(self)
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(HEAD_S, self.head_is_late)

    def _became_idle(self) -> None:
        self._stop_timer()
        self._context.connections.became_idle(self)

    def head_is_late(self) -> None:
        """Answer 408 to a head that began and did not end within its time."""
        self._head_timer = None
        message = f"The head of this request did not arrive within {HEAD_S:g} s"
        self._answer_and_close(Trouble(408, "request-timeout", message))

    def _refuse(self, error: BadMessage) -> None:
        """What came is no request that could be passed on, or the body of one is none."""
        self._stop_timer()
        status = 431 if isinstance(error, HeadTooLarge) else 400
        trouble = Trouble(status, "bad-request", f"This request cannot be passed on ({error})")
        if self._exchange is not None:
            self._exchange.break_off(trouble)
        else:
            self._answer_and_close(trouble)

    def _answer_and_close(self, trouble: Trouble) -> None:
        self._context.connections.became_busy(self)
        method, _, rest = self._reader.first_line.partition(b" ")
        target = rest.partition(b" ")[0]
        is_head = method == b"HEAD"
        self._client.write(error_answer(trouble, target, None, is_head=is_head, closes=True))
        self._end()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
