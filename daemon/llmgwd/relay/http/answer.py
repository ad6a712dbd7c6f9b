"""Follows the answer to one request through the bytes of its stream. Pure.

It passes bodies on as they come, renders the final head for the client, and knows at any moment
what an end of the stream would mean: a whole answer, one that can be ended in words, or a cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from llmgwd.gateway.dialect import Dialect
from llmgwd.net.http1 import RESPONSE_START, Body, MessageReader
from llmgwd.net.http1_heads import (
    BadMessage,
    Head,
    Length,
    forwarded_answer,
    response_length,
    status_of,
)
from llmgwd.relay.http.event_stream import EventStream

# 100, 102 and 103 are what exists; a server that sends more than this sends without end.
MAX_INTERIM_ANSWERS: Final = 16
# They have no body (RFC 9110, 8.6), whatever they say.
_NOT_OF_INTERIM: Final = frozenset((b"content-length", b"transfer-encoding"))
# LiteLLM's errors are a few hundred bytes; a longer answer is none that is judged.
JUDGED_BYTES: Final = 64 * 1024


class Answer:
    """`render` gives the final head as bytes for the client; `passes_interim`: it takes 1xx;
    `may_upgrade`: it asked for another protocol; `judges` says by its status whether an answer is
    judged, `withholds` whether such a one waits for that before the client sees it.
    """

    __slots__ = (
        "_dialect",
        "_interim",
        "_judges",
        "_may_upgrade",
        "_method",
        "_passes_interim",
        "_reader",
        "_render",
        "_withheld",
        "_withholds",
        "content",
        "events",
        "has_begun",
        "head",
        "is_upgraded",
        "is_whole",
        "status",
    )

    def __init__(
        self,
        method: bytes,
        dialect: Dialect,
        render: Callable[[Head, bool], bytes],
        *,
        passes_interim: bool,
        may_upgrade: bool,
        judges: Callable[[int], bool] = lambda _status: False,
        withholds: bool = False,
    ) -> None:
        self.head: Head | None = None  # the final one
        self.status: int | None = None
        self.has_begun = False  # a byte of it has come, so that the request was received
        self.is_whole = False
        self.is_upgraded = False
        self.events: EventStream | None = None
        self.content: bytearray | None = None  # the body of one that is judged
        self._judges = judges
        self._withholds = withholds
        self._withheld: bytearray | None = None  # what the client is still to get
        self._method = method
        self._dialect = dialect
        self._render = render
        self._passes_interim = passes_interim
        self._may_upgrade = may_upgrade
        self._interim = 0
        self._reader = MessageReader(RESPONSE_START, self._length_of)

    def passes(self, payload: bytes) -> bool:
        """May these bytes go to the client as they are, with nothing to follow in them?"""
        return self.is_upgraded or self._reader.passes(payload)

    def feed(self, payload: bytes) -> bytes:
        """Take bytes of the stream; give those that go to the client.

        Raises:
            BadMessage: this is no answer that can be passed on.
        """
        self.has_begun = True
        passing: list[bytes] = []
        while not (self.is_whole or self.is_upgraded):
            events = self._reader.feed(payload)
            payload = b""
            for event in events:
                if isinstance(event, Head):
                    passing.append(self._take_head(event))
                elif isinstance(event, Body):
                    passing.append(event.payload)
                elif self.head is not None:
                    self.is_whole = True
            if not events or not self._reader.rest:
                break
        joined = passing[0] if len(passing) == 1 else b"".join(passing)
        if self._withheld is None:
            return joined
        self._withheld += joined
        return self.release() if len(self._withheld) > JUDGED_BYTES else b""

    def release(self) -> bytes:
        """Give what was withheld; from here on the answer passes as it comes."""
        withheld, self._withheld = self._withheld, None
        return b"" if withheld is None else bytes(withheld)

    @property
    def has_passed(self) -> bool:
        """The client has the final head, or is about to get it."""
        return self.head is not None and self._withheld is None

    @property
    def may_end(self) -> bool:
        """The end of the stream would be the end of the answer."""
        return self.is_whole or (self.head is not None and self._reader.is_until_close)

    @property
    def missing_end(self) -> bytes | None:
        """The framing's end, where its last event has come whole and nothing else is missing."""
        events = self.events
        is_over = events is not None and events.is_between_events and events.has_ended
        return self._reader.missing_end if is_over else None

    @property
    def missing_of_event(self) -> bytes | None:
        """What is to be written before an error event, where it stands between two events and
        two chunks; None: it does not.
        """
        events = self.events
        is_between = events is not None and events.is_between_events and not events.has_ended
        return self._reader.missing_of_chunk if is_between else None

    def _take_head(self, head: Head) -> bytes:
        status = status_of(head)
        if status == 101:
            if not self._may_upgrade:
                # Else the client's next request would go to this pod unread.
                raise BadMessage("a change of protocol that no one asked for")
            self.is_upgraded = True
        elif status < 200:
            self._interim += 1
            if self._interim > MAX_INTERIM_ANSWERS:
                raise BadMessage("interim answers without end")
            interim = forwarded_answer(head, _NOT_OF_INTERIM)
            return interim.raw() if self._passes_interim else b""
        self.head, self.status = head, status
        return self._render(head, self._reader.is_until_close)

    def _follow_events(self, head: Head) -> None:
        content_type = head.first_of(b"content-type") or b""
        is_identity = head.tokens(b"content-encoding") in ([], [b"identity"])
        if content_type.lower().startswith(b"text/event-stream") and is_identity:
            self.events = EventStream(is_gemini=self._dialect is Dialect.GEMINI)
            self._reader.content = self.events.feed

    def _length_of(self, head: Head) -> int | Length:
        length = response_length(head, self._method)
        if status_of(head) >= 200:
            # Here, not when its head is passed on: the first events may come in the same bytes.
            self._follow_events(head)
            if self._judges(status_of(head)):
                self.content = bytearray()
                self._reader.content = self._keep_content
                if self._withholds:
                    self._withheld = bytearray()
        return length

    def _keep_content(self, piece: bytes) -> None:
        if self.content is not None:
            self.content += piece
            if len(self.content) > JUDGED_BYTES:
                self.content = None
