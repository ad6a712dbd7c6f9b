"""Follows an answer of events (text/event-stream): where it stands, and whether it had its last.

Pure. An answer that breaks off between two events can be ended with an error event that the SDKs
understand; one that breaks off within an event cannot, and one that had its last event is whole.
"""

from __future__ import annotations

import re
from typing import Final

# What each API sends last: Anthropic's messages, OpenAI's chat and responses, and an error event of
# the provider's own. Only at the start of a line: inside an event's JSON line ends are escaped, so
# that the words of a model never look like this.
_LAST: Final = re.compile(
    rb"[\r\n](?:event: ?(?:message_stop|response\.(?:completed|failed|incomplete)|error)\s"
    rb"|data: ?\[DONE\])"
)
# Gemini's streams have no last event of their own; the last piece says why the model stopped.
_GEMINI_LAST: Final = re.compile(rb'"finishReason": ?"')
_EVENT_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")
# Longer than any of the marks, which the network may cut in two.
_TAIL_BYTES: Final = 64


class EventStream:
    """Takes the answer's content, without its chunk framing, in order."""

    __slots__ = ("_is_gemini", "_tail", "has_ended")

    def __init__(self, *, is_gemini: bool) -> None:
        self.has_ended = False  # the API's last event has begun
        self._is_gemini = is_gemini
        self._tail = b"\n\n"  # the beginning is the start of a line, and between two events

    @property
    def is_between_events(self) -> bool:
        return self._tail.endswith(_EVENT_ENDS)

    def feed(self, content: bytes) -> None:
        seen = self._tail + content
        if not self.has_ended:
            last = _GEMINI_LAST if self._is_gemini else _LAST
            self.has_ended = last.search(seen) is not None
        self._tail = seen[-_TAIL_BYTES:]
