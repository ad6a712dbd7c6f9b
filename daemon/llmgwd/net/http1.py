"""HTTP/1.1 messages as they stream by: where a head ends, a body ends, the next one begins.

Pure and incremental. Bodies are not decoded: chunk sizes and trailers are followed, and passed on
as they came. What two parsers could read differently (folded lines, two lengths) is refused,
because a head that upstream sees and we do not would go there unrewritten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

# uvicorn's own limit for a head.
MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_CHUNK_LINE_BYTES: Final = 4096

# What the first bytes of a head must look like, so that TLS or h2 is told from HTTP/1 at once.
REQUEST_START: Final = re.compile(rb"[A-Z][A-Z_-]{0,31}(?: .*)?", re.DOTALL)
RESPONSE_START: Final = re.compile(rb"H|HT|HTT|HTTP|HTTP/|HTTP/1|HTTP/1\..*", re.DOTALL)

_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: .*)?", re.DOTALL)
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

Fields = tuple[tuple[bytes, bytes], ...]


class BadMessage(ValueError):
    """These bytes are not HTTP/1.x, or not in a form that everybody reads alike."""


class Head(NamedTuple):
    """`first` is the start line; names and values are as they came, without the space around."""

    first: bytes
    fields: Fields

    def all(self, name: bytes) -> list[bytes]:
        """All values of a field (name in lower case), in order."""
        return [value for field, value in self.fields if field.lower() == name]

    def tokens(self, name: bytes) -> list[bytes]:
        """The members of a list field, in lower case."""
        joined = b",".join(self.all(name)).lower()
        return [token for token in (part.strip() for part in joined.split(b",")) if token]


class Body(NamedTuple):
    """A piece of a body as it came, chunk framing included."""

    payload: bytes


class End(NamedTuple):
    """The message is complete."""


Event = Head | Body | End


class Length(Enum):
    """How a body's end is found, where it is not a number of bytes."""

    CHUNKED = auto()
    UNTIL_CLOSE = auto()
    FOR_EVER = auto()  # no message any more: the connection was upgraded


class _At(Enum):
    HEAD = auto()
    BYTES = auto()
    CHUNK_LINE = auto()
    CHUNK = auto()
    TRAILER = auto()
    REST = auto()


class MessageReader:
    """Cuts one direction of a connection into events.

    `length_of` judges each head: how long its body is.
    """

    def __init__(self, start: re.Pattern[bytes], length_of: Callable[[Head], int | Length]) -> None:
        self._start = start
        self._length_of = length_of
        self._at = _At.HEAD
        self._pending = bytearray()  # of a head
        self._line = bytearray()  # of chunk framing, passed on already
        self._left_bytes = 0

    @property
    def _is_in_body(self) -> bool:
        return self._at is not _At.HEAD

    @property
    def is_between(self) -> bool:
        """Nothing of a message has come since the last one ended."""
        return self._at is _At.HEAD and not self._pending

    @property
    def may_close(self) -> bool:
        """The end of the connection would now be the end of a message, too."""
        return self.is_between or self._at is _At.REST

    def pass_all(self) -> bytes:
        """From here on everything is body (after an upgrade); gives what had been kept."""
        self._at = _At.REST
        kept, self._pending = bytes(self._pending), bytearray()
        return kept

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes as the network cut them; give the events they complete.

        To be iterated to its end: each head is judged only when the events before it were taken.

        Raises:
            BadMessage: this connection can no longer be understood.
        """
        while data:
            if self._is_in_body:
                end = self._body_end(data)
                yield Body(data[:end])
                data = data[end:]
                if not self._is_in_body:
                    yield End()
                continue
            head, data = self._read_head(data)
            if head is None:
                return
            self._begin_body(self._length_of(head))
            yield head
            if not self._is_in_body:
                yield End()

    def _read_head(self, data: bytes) -> tuple[Head | None, bytes]:
        """Give the head, if these bytes complete it, and what is left behind it."""
        # RFC 9112, 2.2: empty lines before a message are to be skipped.
        data = data if self._pending else data.lstrip(b"\r\n")
        searched = max(0, len(self._pending) - 3)
        self._pending += data
        if self._pending and not self._start.fullmatch(self._pending[:32]):
            raise BadMessage("not HTTP/1")
        end = _HEAD_END.search(self._pending, searched)
        if end is None:
            if len(self._pending) > MAX_HEAD_BYTES:
                raise BadMessage("a head that does not end")
            return None, b""
        head = parse_head(bytes(self._pending[: end.start()]))
        rest = bytes(self._pending[end.end() :])
        self._pending = bytearray()
        return head, rest

    def _begin_body(self, length: int | Length) -> None:
        if length is Length.CHUNKED:
            self._at = _At.CHUNK_LINE
        elif isinstance(length, Length):
            self._at = _At.REST
        elif length > 0:
            self._at, self._left_bytes = _At.BYTES, length

    def _body_end(self, data: bytes) -> int:
        """Follow the body through these bytes; give where it, or what came of it, ends."""
        at = 0
        while at < len(data) and self._is_in_body:
            at = self._step(data, at)
        return at

    def _step(self, data: bytes, at: int) -> int:
        """Follow the body's framing over one more piece; give where it ends."""
        if self._at is _At.REST:
            return len(data)
        if self._at in (_At.BYTES, _At.CHUNK):
            end = min(len(data), at + self._left_bytes)
            self._left_bytes -= end - at
            if self._left_bytes == 0:
                self._at = _At.HEAD if self._at is _At.BYTES else _At.CHUNK_LINE
            return end
        newline = data.find(b"\n", at)
        end = len(data) if newline < 0 else newline + 1
        self._line += data[at:end]
        if len(self._line) > _MAX_CHUNK_LINE_BYTES:
            raise BadMessage("a chunk without a size")
        if newline >= 0:
            line, self._line = bytes(self._line), bytearray()
            self._follow(line)
        return end

    def _follow(self, line: bytes) -> None:
        if self._at is _At.TRAILER:
            if not line.strip():
                self._at = _At.HEAD
            return
        size = _CHUNK_LINE.fullmatch(line)
        if size is None:
            raise BadMessage("a chunk without a size")
        self._left_bytes = int(size[1], 16) + 2
        self._at = _At.CHUNK
        if self._left_bytes == 2:
            self._at, self._left_bytes = _At.TRAILER, 0


def parse_head(raw: bytes) -> Head:
    """Split a head, without the empty line that ends it.

    Raises:
        BadMessage: a folded line, or a name that is none.
    """
    first, *lines = (line.removesuffix(b"\r") for line in raw.split(b"\n"))
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or b"\r" in value or b"\0" in value:
            raise BadMessage("a header that is none")
        fields.append((name, value.strip(b" \t")))
    return Head(first, tuple(fields))


def request_length(head: Head) -> int | Length:
    """How long a request's body is (RFC 9112, 6.3).

    Raises:
        BadMessage: lengths that contradict each other, or a coding without an end.
    """
    codings = head.tokens(b"transfer-encoding")
    if codings:
        if codings != [b"chunked"]:
            raise BadMessage("a transfer coding other than chunked")
        return Length.CHUNKED
    return _content_length(head) or 0


def response_length(head: Head, method: bytes) -> int | Length:
    """How long the body of an answer to `method` is (RFC 9112, 6.3)."""
    status = status_of(head)
    if status == 101:
        return Length.FOR_EVER
    if status < 200 or status in (204, 304) or method == b"HEAD":
        return 0
    codings = head.tokens(b"transfer-encoding")
    if codings:
        return Length.CHUNKED if codings[-1] == b"chunked" else Length.UNTIL_CLOSE
    length = _content_length(head)
    return Length.UNTIL_CLOSE if length is None else length


def status_of(head: Head) -> int:
    """The status of a response's head.

    Raises:
        BadMessage: its first line is no status line.
    """
    status = _STATUS_LINE.fullmatch(head.first)
    if status is None:
        raise BadMessage("no status line")
    return int(status[1])


def _content_length(head: Head) -> int | None:
    lengths = set(head.tokens(b"content-length"))
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise BadMessage("a length that is none")
    return int(length)
