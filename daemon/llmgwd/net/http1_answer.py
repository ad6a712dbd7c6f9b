"""One answer of HTTP/1, for those who want it whole: its final head, and its content without
framing. Pure: bytes are fed as they come.
"""

from __future__ import annotations

from typing import Final

from llmgwd.net.http1 import RESPONSE_START, End, MessageReader
from llmgwd.net.http1_heads import BadMessage, Head, Length, response_length, status_of

# 100 Continue and a few 103 Early Hints are what there is; each costs a head to read.
MAX_INTERIM: Final = 64


class AnswerReader:
    """Takes the answer to one request of `method`; interim answers (1xx) are passed over.

    `head` is None until the final head is complete, `content` is what came of the body by then.
    """

    def __init__(self, method: bytes = b"GET") -> None:
        self.head: Head | None = None
        self.status = 0
        self.content = bytearray()
        self.is_whole = False
        self._interim = 0
        self._method = method
        self._messages = MessageReader(RESPONSE_START, self._length)
        self._messages.content = self.content.extend

    @property
    def leftover(self) -> bytes:
        """What came behind the head where the connection is no HTTP from there on."""
        return bytes(self.content) if self.status == 101 else self._messages.rest

    def feed(self, data: bytes) -> None:
        """Raises BadMessage: this is no HTTP/1 answer, or its body's framing is broken."""
        if self.is_whole:
            self._messages.rest += data
            return
        self._take(data)
        # An interim answer's end leaves the next one's beginning. Not by recursion: there may be
        # thousands in one read.
        while self.head is None and self._messages.rest:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise BadMessage("interim answers without end")
            self._take(b"")

    def _take(self, data: bytes) -> None:
        for event in self._messages.feed(data):
            if isinstance(event, Head) and (self.status >= 200 or self.status == 101):
                self.head = event
            elif isinstance(event, End):
                self.is_whole = self.head is not None

    def end(self) -> None:
        """The connection ended; that is the end of a body without a length, too."""
        if self.head is not None and self._messages.is_until_close:
            self.is_whole = True

    def _length(self, head: Head) -> int | Length:
        self.status = status_of(head)
        if self._method == b"CONNECT" and 200 <= self.status < 300:
            return 0  # RFC 9110, 9.3.6: a tunnel begins right behind the head
        return response_length(head, self._method)
