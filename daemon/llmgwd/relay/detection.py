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
from llmgwd.net.http1 import REQUEST_START, MessageReader
from llmgwd.net.http1_heads import BadMessage, Head, request_line
from llmgwd.relay.http.http_connection import HEAD_S, HttpConnection
from llmgwd.relay.http.web_guard import REFUSED_PAGE
from llmgwd.relay.raw import RawConnection

if TYPE_CHECKING:
    from llmgwd.relay.connection import ConnectionUser, LocalConnection
    from llmgwd.relay.context import RelayContext

# Clients that speak first do so within microseconds of the connection; where the server does, its
# client waits this much longer.
SILENCE_S: Final = 0.02
# No request line that is one is longer (uvicorn allows 64 KiB for a whole head).
MAX_LINE_BYTES: Final = 64 * 1024

_BEGINS_LIKE_A_METHOD: Final = re.compile(rb"[A-Z][A-Z_-]{0,31}(?: .*)?", re.DOTALL)
_REQUEST_LINE: Final = re.compile(rb"[A-Z][A-Z_-]{0,31} [^ ]+ HTTP/1\.[0-9]\r?\n")
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
    if not _BEGINS_LIKE_A_METHOD.fullmatch(sent[:33]):
        return Speech.OTHER
    end = sent.find(b"\n")
    if end < 0:
        return Speech.UNKNOWN if len(sent) < MAX_LINE_BYTES else Speech.OTHER
    line = sent[: end + 1]
    if _REQUEST_LINE.fullmatch(line) or (expects_http and line == _HTTP2):
        return Speech.HTTP
    return Speech.OTHER


class Detection:
    """The first user of a connection, until it is known what it speaks."""

    def __init__(self, client: LocalConnection, context: RelayContext) -> None:
        self._client = client
        self._context = context
        self._sent = b""
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
            self._become_raw()
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
        self._stop_timer()
        self._client.close()
        return True

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
        else:
            self._become_raw()

    def _become_raw_unless_a_web_page(self) -> None:
        """A browser's request is judged here, too: raw bytes may be HTTP all the same."""
        is_http = speech_of(self._sent, expects_http=True) is Speech.HTTP
        if is_http and b"\n\r\n" not in self._sent:
            # A browser sends a head in one piece; what comes in several waits for the rest.
            return
        if not (is_http and self._refuse_web_page(self._sent)):
            self._become_raw()

    def _refuse_web_page(self, sent: bytes) -> bool:
        """Answer a request that no web page may make; False where it is none."""
        if speech_of(sent, expects_http=True) is not Speech.HTTP:
            return False
        try:
            events = MessageReader(REQUEST_START, lambda _head: 0).feed(sent)
            head = events[0] if events and isinstance(events[0], Head) else None
            trouble = head and self._context.guard.refusal(head, request_line(head))
        except BadMessage:
            # Not for us to judge: its server will.
            return False
        if trouble is None:
            return False
        self._context.note_refusal(REFUSED_PAGE)
        self._stop_timer()
        self._client.write(error_answer(trouble, b"", head, is_head=False, closes=True))
        self._client.write_eof()
        return True

    def _become_http(self) -> None:
        self._hand_over(self._http_connection())

    def _http_connection(self) -> HttpConnection:
        # First, or both would count as idle for a moment, and another be closed for it.
        self._context.connections.became_busy(self)
        return HttpConnection(self._client, self._context)

    def _become_raw(self) -> None:
        raw = RawConnection(self._client, self._context)
        if not self._sent:
            # Browsers open connections ahead, and ask later.
            is_tcp = self._context.protocol is Protocol.TCP
            raw.watch_for_http(self._refuse_web_page if is_tcp else self._turn_http)
        self._hand_over(raw)
        raw.start()

    def _turn_http(self, sent: bytes) -> bool:
        """A client that was silent for a moment asks by HTTP after all; say whether it does."""
        speech = speech_of(sent, expects_http=False)
        if speech is not Speech.HTTP:
            return False
        self._sent = sent
        self._become_http()
        return True

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


def detect(client: LocalConnection, context: RelayContext) -> Detection:
    """Make the first user of an accepted connection."""
    detection = Detection(client, context)
    context.connections.became_idle(detection)
    return detection
