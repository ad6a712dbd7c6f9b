"""HTTP/1.1 messages as they stream by: where a head ends, a body ends, the next one begins.

Pure and incremental. Bodies are not decoded: chunk sizes and trailers are followed, and passed on
as they came. Chunk framing that two parsers could read differently is refused, as heads are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, NamedTuple

from llmgwd.net.http1_heads import TOKEN, BadMessage, Head, Length, parse_head

# uvicorn's own limit for a head.
MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_CHUNK_LINE_BYTES: Final = 4096
_MAX_TRAILER_BYTES: Final = 16 * 1024

# What the first bytes of a head must look like, so that TLS or h2 is told from HTTP/1 at once.
# A method is any token: a page may have its browser send one of its own.
REQUEST_START: Final = re.compile(rb"%b(?: .*)?" % TOKEN, re.DOTALL)
RESPONSE_START: Final = re.compile(rb"H|HT|HTT|HTTP|HTTP/|HTTP/1|HTTP/1\..*", re.DOTALL)

_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
# Only CRLF ends a line of chunk framing: a bare LF, or one hidden in an extension, is where parsers
# disagree about the size that follows.
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?\r\n")
_TRAILER_LINE: Final = re.compile(rb"%b:[^\r\n\0]*\r\n" % TOKEN)
_CRLF: Final = b"\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
# As much of a first line as tells who asks for what, where the rest may be anything.
_MAX_LINE_SHOWN: Final = 1024


class HeadTooLarge(BadMessage):
    """A head goes on past `MAX_HEAD_BYTES`."""


class Body(NamedTuple):
    """A piece of a body as it came, chunk framing included."""

    payload: bytes


class End(NamedTuple):
    """The message is complete."""


Event = Head | Body | End


class _At(Enum):
    HEAD = auto()
    BYTES = auto()
    CHUNK_LINE = auto()
    CHUNK = auto()
    CHUNK_END = auto()  # the CRLF behind a chunk's data
    TRAILER = auto()
    REST = auto()


_END: Final = End()


class MessageReader:
    """Cuts one direction of a connection into events, one message at a time.

    `length_of` judges each head: how long its body is. `content`, where it is set, is called with
    each piece of a body without its chunk framing.
    """

    __slots__ = (
        "_at",
        "_left_bytes",
        "_length_of",
        "_line",
        "_pending",
        "_start",
        "_trailer_bytes",
        "content",
        "first_line",
        "rest",
    )

    def __init__(self, start: re.Pattern[bytes], length_of: Callable[[Head], int | Length]) -> None:
        self.first_line = b""  # of the message that began last, as far as it has come
        self.rest = b""  # what came behind the last message's end; the next `feed` begins with it
        self.content: Callable[[bytes], None] | None = None
        self._start = start
        self._length_of = length_of
        self._at = _At.HEAD
        self._pending = bytearray()  # of a head
        self._line = b""  # of chunk framing, passed on already
        self._left_bytes = 0
        self._trailer_bytes = 0

    @property
    def is_between(self) -> bool:
        """Nothing of a message has come since the last one ended."""
        return self._at is _At.HEAD and not self._pending and not self.rest

    @property
    def is_in_head(self) -> bool:
        """A head has begun and is not complete."""
        return self._at is _At.HEAD and bool(self._pending)

    @property
    def is_until_close(self) -> bool:
        """The end of the connection is the end of the message."""
        return self._at is _At.REST

    @property
    def missing_of_chunk(self) -> bytes | None:
        """What a chunked body lacks until a chunk may be added: at most a line's end. None: more,
        or it is no chunked body.
        """
        if self._at is _At.CHUNK_END:
            return _CRLF[len(self._line) :]
        return b"" if self._at is _At.CHUNK_LINE and not self._line else None

    @property
    def missing_end(self) -> bytes | None:
        """What a chunked body lacks that has come but for its last chunk; None: more."""
        if self._at is _At.TRAILER and not self._trailer_bytes and _CRLF.startswith(self._line):
            return _CRLF[len(self._line) :]
        if self._at is _At.CHUNK_LINE and _LAST_CHUNK.startswith(self._line):
            return _LAST_CHUNK[len(self._line) :]
        return None if self.missing_of_chunk is None else self.missing_of_chunk + _LAST_CHUNK

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as the network cut them; give the events they complete.

        It stops behind the end of a message, and what came after it waits in `rest`: call again
        (with b"") for the next message.

        Raises:
            BadMessage: this connection can no longer be understood.
        """
        if self.rest:
            data, self.rest = self.rest + data, b""
        events: list[Event] = []
        if data and self._at is _At.HEAD:
            head, data = self._read_head(data)
            if head is None:
                return events
            self._begin_body(self._length_of(head))
            events.append(head)
            if self._at is _At.HEAD:
                self.rest = data
                events.append(_END)
                return events
        if data:
            end = self._body_end(data)
            events.append(Body(data if end == len(data) else data[:end]))
            if self._at is _At.HEAD:
                self.rest = data[end:]
                events.append(_END)
        return events

    def passes(self, data: bytes) -> bool:
        """Count bytes that are content of a body, whole and not its last; False: `feed` them.

        Nearly all of a long body takes this way, which is short for that reason.
        """
        if len(data) >= self._left_bytes or self.content is not None or self.rest:
            return False
        self._left_bytes -= len(data)
        return True

    def _read_head(self, data: bytes) -> tuple[Head | None, bytes]:
        """Give the head, if these bytes complete it, and what is left behind it."""
        if not self._pending:
            # RFC 9112, 2.2: empty lines before a message are to be skipped.
            data = data.lstrip(b"\r\n")
            if not data:
                return None, b""
        searched = max(0, len(self._pending) - 3)
        if self._pending:
            self._pending += data
        seen = self._pending or data
        self.first_line = bytes(seen[:_MAX_LINE_SHOWN].partition(b"\n")[0].rstrip(b"\r"))
        if not self._start.fullmatch(seen[:33]):
            raise BadMessage("not HTTP/1")
        end = _HEAD_END.search(seen, searched)
        if end is not None and end.start() <= MAX_HEAD_BYTES:
            head, rest = bytes(seen[: end.start()]), bytes(seen[end.end() :])
            self._pending = bytearray()
            return parse_head(head), rest
        if len(seen) > MAX_HEAD_BYTES:
            raise HeadTooLarge(f"a head of more than {MAX_HEAD_BYTES} bytes")
        self._pending = bytearray(seen) if seen is data else self._pending
        return None, b""

    def _begin_body(self, length: int | Length) -> None:
        self._trailer_bytes = 0
        if length is Length.CHUNKED:
            self._at = _At.CHUNK_LINE
        elif isinstance(length, Length):
            self._at = _At.REST
        elif length > 0:
            self._at, self._left_bytes = _At.BYTES, length

    def _body_end(self, data: bytes) -> int:
        """Follow the body through these bytes; give where it, or what came of it, ends."""
        at, size = 0, len(data)
        while at < size and self._at is not _At.HEAD:
            if self._at is _At.CHUNK or self._at is _At.BYTES:
                at = self._pass_content(data, at)
            elif self._at is _At.REST:
                if self.content is not None:
                    self.content(data[at:])
                return size
            else:
                at = self._follow_line(data, at)
        return at

    def _pass_content(self, data: bytes, at: int) -> int:
        end = min(len(data), at + self._left_bytes)
        self._left_bytes -= end - at
        if self.content is not None:
            self.content(data[at:end])
        if self._left_bytes == 0:
            self._at = _At.HEAD if self._at is _At.BYTES else _At.CHUNK_END
        return end

    def _follow_line(self, data: bytes, at: int) -> int:
        """Follow a line of chunk framing; give where it, or what came of it, ends."""
        newline = data.find(b"\n", at)
        end = len(data) if newline < 0 else newline + 1
        line = self._line + data[at:end]
        if len(line) > _MAX_CHUNK_LINE_BYTES:
            raise BadMessage("a line of chunk framing that does not end")
        if newline < 0 and not (self._at is _At.CHUNK_END and len(line) > 1):
            self._line = line
            return end
        self._line = b""
        self._take_line(line)
        return end

    def _take_line(self, line: bytes) -> None:
        if self._at is _At.CHUNK_END:
            if line != _CRLF:
                raise BadMessage("a chunk whose data is not followed by CRLF")
            self._at = _At.CHUNK_LINE
        elif self._at is _At.TRAILER:
            self._take_trailer(line)
        else:
            size = _CHUNK_LINE.fullmatch(line)
            if size is None:
                raise BadMessage("a chunk without a size")
            self._left_bytes = int(size[1], 16)
            self._at = _At.CHUNK if self._left_bytes else _At.TRAILER

    def _take_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        if line == _CRLF:
            self._at = _At.HEAD
        elif not _TRAILER_LINE.fullmatch(line) or self._trailer_bytes > _MAX_TRAILER_BYTES:
            raise BadMessage("a trailer that is none, or does not end")
