"""What a fresh connection speaks: decided by its first bytes, or by its silence.

An HTTP/1 request line makes it an HTTP connection; anything else makes it raw. Silence makes it
raw only where the forward is not asked for its health by HTTP: browsers and Go open connections
ahead and speak later, while a client of a database waits for the server to speak first.
"""

from __future__ import annotations

import asyncio
import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from llmgwd.config.model import Protocol
from llmgwd.gateway.error_answer import error_answer
from llmgwd.net.http1 import REQUEST_START
from llmgwd.net.http1_heads import BadMessage
from llmgwd.relay.http.http_connection import HEAD_S, HttpConnection
from llmgwd.relay.http.web_guard import REFUSED_PAGE, RawRequests
from llmgwd.relay.raw import RawConnection, Watched

if TYPE_CHECKING:
    import socket

    from llmgwd.gateway.error_answer import Trouble
    from llmgwd.relay.connection import ConnectionUser, LocalConnection
    from llmgwd.relay.context import RelayContext
    from llmgwd.relay.http.web_guard import WebGuard

# Clients that speak first do so within microseconds of the connection; where the server does, its
# client waits this much longer.
SILENCE_S: Final = 0.02
# No request line that is one is longer (uvicorn allows 64 KiB for a whole head).
MAX_LINE_BYTES: Final = 64 * 1024

_REQUEST_LINE: Final = re.compile(rb"[^ \r\n]+ .* HTTP/1\.[0-9]\r?\n")
_BEGINS_LONG_LINE: Final = re.compile(rb"[^ ]+ (?:/|\*|[A-Za-z][A-Za-z0-9+.-]*:)")
# HTTP/2 without an upgrade; we follow HTTP/1 only.
_HTTP2: Final = b"PRI * HTTP/2.0\r\n"


class Speech(Enum):
    HTTP = auto()
    OTHER = auto()
    UNKNOWN = auto()  # too little has come


def speech_of(sent: bytes, *, expects_http: bool) -> Speech:
    """Judge the first bytes of a connection. Pure."""
    sent = sent.lstrip(b"\r\n")
    if not sent:
        return Speech.UNKNOWN
    if not REQUEST_START.fullmatch(sent[:33]):
        return Speech.OTHER
    end = sent.find(b"\n")
    if end < 0:
        if len(sent) < MAX_LINE_BYTES:
            return Speech.UNKNOWN
        # Its server may take it: a page must not get past us with a path that is long enough.
        return Speech.HTTP if _BEGINS_LONG_LINE.match(sent) else Speech.OTHER
    line = sent[: end + 1]
    if _REQUEST_LINE.fullmatch(line) or (expects_http and line == _HTTP2):
        return Speech.HTTP
    return Speech.OTHER


class Detection:
    """The first user of a connection, until it is known what it speaks."""

    speaks_http = False

    def __init__(self, client: LocalConnection, context: RelayContext) -> None:
        self._client = client
        self._context = context
        self._sent = b""
        self._is_head_awaited = False  # of a request on a raw connection
        self._timer: asyncio.TimerHandle | None = None
        if not self._may_be_silent:
            self._expect_within(SILENCE_S)

    @property
    def _may_be_silent(self) -> bool:
        if self._context.protocol is Protocol.AUTO:
            return self._context.expects_http
        return self._context.protocol is Protocol.HTTP

    # As the user of the connection.

    def client_sent(self, payload: bytes) -> None:
        self._sent += payload
        if self._context.protocol is Protocol.TCP:
            self._become_raw_unless_a_web_page()
            return
        is_http_only = self._context.protocol is Protocol.HTTP
        speech = speech_of(self._sent, expects_http=self._may_be_silent)
        if speech is Speech.HTTP or (speech is Speech.OTHER and is_http_only):
            self._become_http()
        elif speech is Speech.OTHER:
            self._become_raw()
        elif self._timer is None:
            self._expect_within(HEAD_S)

    def client_finished(self) -> None:
        if self._may_be_silent and not self._sent:
            self._stop_timer()
            self._client.close()
        else:
            self._become_raw_for_now()
            self._client.resume_reading()

    def client_gone(self, is_reset: bool) -> None:
        self._stop_timer()
        self._context.connections.became_busy(self)

    def client_stalled(self) -> None: ...

    def client_reads_again(self) -> None: ...

    # For the connections of the forward.

    def close_if_idle(self) -> bool:
        if self._sent or self._client.has_unread_input():
            return False
        self.let_go()
        return True

    @property
    def quiet_socket(self) -> socket.socket | None:
        return None if self._sent else self._client.quiet_socket

    def let_go(self) -> None:
        self._stop_timer()
        self._client.close()

    # Inside.

    def _expect_within(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._is_silent)

    def _is_silent(self) -> None:
        self._timer = None
        if self._may_be_silent:
            # A request line that began and does not end.
            http = self._http_connection()
            self._hand_over(http)
            http.head_is_late()
        elif self._is_head_awaited:
            self._client.abort()
        else:
            self._become_raw_for_now()

    def _become_raw_unless_a_web_page(self) -> None:
        """A browser's request is judged here, too: raw bytes may be HTTP all the same."""
        speech = speech_of(self._sent, expects_http=False)
        if speech is Speech.UNKNOWN:
            return
        requests = RawRequests(self._context.guard)
        try:
            trouble = requests.refusal(self._sent) if speech is Speech.HTTP else None
        except BadMessage:
            # Not for us to judge: its server will.
            speech, trouble = Speech.OTHER, None
        if trouble is not None:
            self.refuse_raw(trouble, is_first=True)
        elif speech is Speech.OTHER:
            self._become_raw()
        elif not requests.is_in_head:
            self._become_raw(RawWatch(self, self._context.guard, requests=requests))
        elif not self._is_head_awaited:
            self._is_head_awaited = True
            self._stop_timer()
            self._expect_within(HEAD_S)

    def refuse_raw(self, trouble: Trouble, *, is_first: bool) -> None:
        """Answer a request that may not pass; one that follows others ends the connection."""
        self._context.note_refusal(REFUSED_PAGE)
        self._stop_timer()
        if is_first:
            self._client.write(error_answer(trouble, b"", None, is_head=False, closes=True))
            self._client.write_eof()
        else:
            self._client.abort()

    def _become_http(self) -> None:
        self._hand_over(self._http_connection())

    def _http_connection(self) -> HttpConnection:
        # First, or both would count as idle for a moment, and another be closed for it.
        self._context.connections.became_busy(self)
        return HttpConnection(self._client, self._context)

    def _become_raw(self, watch: RawWatch | None = None) -> None:
        raw = RawConnection(self._client, self._context)
        self._hand_over(raw)
        if watch is not None:
            raw.watch(watch.judge)
        raw.start()

    def _become_raw_for_now(self) -> None:
        """Nothing has come, or too little to know what it is."""
        is_http_followed = self._context.protocol is Protocol.AUTO
        self._become_raw(
            RawWatch(self, self._context.guard, said=self._sent, turns_http=is_http_followed)
        )

    def turn_http(self, sent: bytes) -> None:
        """A client that was silent for a moment asks by HTTP after all."""
        self._sent = sent
        self._become_http()

    def _hand_over(self, user: ConnectionUser) -> None:
        self._stop_timer()
        self._context.connections.became_busy(self)
        sent, self._sent = self._sent, b""
        self._client.hand_over(user)
        if sent:
            user.client_sent(sent)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class RawWatch:
    """Judges what the client of a raw connection says, before it is carried.

    `said` was carried already, undecided; `requests` have judged all that was. With `turns_http`
    a request before the server has spoken makes the connection an HTTP one.
    """

    def __init__(
        self,
        detection: Detection,
        guard: WebGuard,
        *,
        said: bytes = b"",
        turns_http: bool = False,
        requests: RawRequests | None = None,
    ) -> None:
        self._detection = detection
        self._guard = guard
        self._said = said
        self._turns_http = turns_http
        self._requests = requests

    def judge(self, payload: bytes, has_answered: bool) -> Watched:
        if self._requests is None:
            self._said += payload
            speech = speech_of(self._said, expects_http=False)
            if speech is not Speech.HTTP:
                return Watched.PASSES if speech is Speech.UNKNOWN else Watched.IS_OVER
            if self._turns_http and not has_answered:
                self._detection.turn_http(self._said)
                return Watched.IS_TAKEN
            payload, self._said = self._said, b""
            self._requests = RawRequests(self._guard)
        try:
            trouble = self._requests.refusal(payload)
        except BadMessage:
            return Watched.IS_OVER
        if trouble is None:
            return Watched.PASSES
        is_first = self._requests.passed == 0 and not has_answered
        self._detection.refuse_raw(trouble, is_first=is_first)
        return Watched.IS_TAKEN


def go_on(client: LocalConnection, context: RelayContext) -> HttpConnection:
    """Make the user of a connection whose client has had answers on it, by another daemon."""
    return HttpConnection(client, context)


def detect(client: LocalConnection, context: RelayContext) -> Detection:
    """Make the first user of an accepted connection."""
    detection = Detection(client, context)
    context.connections.became_idle(detection)
    return detection
