"""Heads of HTTP/1.1 messages: split, judged, and how long the body is that follows. Pure.

Whatever two parsers could read differently (folded lines, two lengths, a length beside chunks, a
bare CR) is refused, because the peer behind us might see a message there that we do not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

# RFC 9110, 5.6.2: names of fields and methods.
TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD: Final = re.compile(rb"(%b):[ \t]*([^\r\n\0]*)" % TOKEN)
_FIELD_LINES: Final = re.compile(rb"%b:[^\r\n\0]*(?:\r?\n%b:[^\r\n\0]*)*" % (TOKEN, TOKEN))
_REQUEST_LINE: Final = re.compile(rb"(%b) ([^\x00-\x20\x7f]+) HTTP/1\.([01])" % TOKEN)
_HTTP2_PREFACE: Final = b"PRI * HTTP/2.0"
# RFC 9112, 3.2: a path, a URL that becomes one, or the server as a whole. A URL of another scheme
# would be passed on as it is, and Go takes its host for the request's, not Host's; what does not
# begin with a slash would lengthen the last name of a route's prefix.
_TARGET: Final = re.compile(rb"/.*|\*|https?://.*", re.IGNORECASE | re.DOTALL)
# Some servers take a method for its other case, and would read another message than we do.
_METHOD: Final = re.compile(rb"[A-Z][A-Z_-]*")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: [^\r\n\0]*)?")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

Fields = tuple[tuple[bytes, bytes], ...]


class BadMessage(ValueError):
    """These bytes are not HTTP/1.x, or not in a form that everybody reads alike."""


@dataclass(slots=True)
class Head:
    """`first` is the start line; names and values are as they came, without the space around."""

    first: bytes
    fields: Fields
    # By name in lower case, once asked.
    _values: dict[bytes, list[bytes]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def all(self, name: bytes) -> Sequence[bytes]:
        """All values of a field (name in lower case), in order."""
        if self._values is None:
            # Some twenty questions are asked about each head.
            self._values = {}
            for each, value in self.fields:
                self._values.setdefault(each.lower(), []).append(value)
        return self._values.get(name, ())

    def first_of(self, name: bytes) -> bytes | None:
        """The first value of a field (name in lower case), or None."""
        values = self.all(name)
        return values[0] if values else None

    def tokens(self, name: bytes) -> list[bytes]:
        """The members of a list field, in lower case."""
        values = self.all(name)
        if not values:
            return []
        joined = b",".join(values).lower()
        return [token for token in (part.strip(b" \t") for part in joined.split(b",")) if token]

    def raw(self) -> bytes:
        """The head as bytes, with the empty line that ends it."""
        lines = [self.first, *[name + b": " + value for name, value in self.fields], b"", b""]
        return b"\r\n".join(lines)


class RequestLine(NamedTuple):
    method: bytes
    target: bytes
    minor: bytes  # of the version: b"0" or b"1"


class Length(Enum):
    """How a body's end is found, where it is not a number of bytes."""

    CHUNKED = auto()
    UNTIL_CLOSE = auto()
    FOR_EVER = auto()  # no message any more: the connection was upgraded


def parse_head(raw: bytes) -> Head:
    """Split a head, without the empty line that ends it.

    Raises:
        BadMessage: a folded line, a bare CR, or a name that is none.
    """
    first, newline, lines = raw.partition(b"\n")
    first = first.removesuffix(b"\r")
    if b"\r" in first or b"\0" in first:
        raise BadMessage("a bare CR in the first line")
    if newline and not _FIELD_LINES.fullmatch(lines):
        raise BadMessage("a header that is none")
    fields = [(name, value.rstrip(b" \t")) for name, value in _FIELD.findall(lines)]
    return Head(first, tuple(fields))


def request_line(head: Head) -> RequestLine:
    """Split the first line of a request.

    Raises:
        BadMessage: it is none of HTTP/1.0 or 1.1, or asks for a proxy (CONNECT).
    """
    line = _REQUEST_LINE.fullmatch(head.first)
    if head.first == _HTTP2_PREFACE:
        raise BadMessage("HTTP/2 without an upgrade; the client must be told to use HTTP/1.1")
    if line is None:
        raise BadMessage("no request line of HTTP/1")
    if line[1] == b"CONNECT":
        raise BadMessage("CONNECT: this is no proxy")
    return RequestLine(line[1], line[2], line[3])


def judge_request(head: Head) -> RequestLine:
    """Give the first line of a request that is fit to be passed on.

    Raises:
        BadMessage: as `request_line`; or an odd method or target, HTTP/1.1 without a Host, or with
            two.
    """
    line = request_line(head)
    if not _METHOD.fullmatch(line.method):
        raise BadMessage("a method that is none of HTTP's")
    if not _TARGET.fullmatch(line.target):
        raise BadMessage("a target that is no path")
    hosts = len(head.all(b"host"))
    if hosts > 1 or (hosts == 0 and line.minor == b"1"):
        raise BadMessage("no Host" if hosts == 0 else "more than one Host")
    return line


def request_length(head: Head) -> int | Length:
    """How long a request's body is (RFC 9112, 6.3).

    Raises:
        BadMessage: lengths that contradict each other or stand beside chunks, or a coding other
            than chunked.
    """
    length = _content_length(head)
    if not _is_chunked(head, length):
        return length or 0
    if head.first.endswith(b"1.0"):
        # Servers of that version know no chunks (RFC 9112, 6.1): for some this body has no end.
        raise BadMessage("chunks in HTTP/1.0")
    return Length.CHUNKED


def response_length(head: Head, method: bytes) -> int | Length:
    """How long the body of an answer to `method` is (RFC 9112, 6.3).

    Raises:
        BadMessage: no status line, or lengths as in `request_length`.
    """
    status = status_of(head)
    if status == 101:
        return Length.FOR_EVER
    if status < 200:
        return 0
    # Of an answer without a body, too: its client may judge them before it knows that.
    length = _content_length(head)
    is_chunked = _is_chunked(head, length)
    if status in (204, 304) or method == b"HEAD":
        return 0
    if is_chunked:
        return Length.CHUNKED
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


def _is_chunked(head: Head, length: int | None) -> bool:
    codings = head.all(b"transfer-encoding")
    if not codings:
        return False
    # Not read as a list: Node takes `chunked,` for a body that ends with the connection.
    if len(codings) > 1 or codings[0].lower() != b"chunked":
        raise BadMessage("a transfer coding other than chunked")
    if length is not None:
        raise BadMessage("a length and chunks together")
    return True


def _content_length(head: Head) -> int | None:
    values = head.all(b"content-length")
    if not values:
        return None
    lengths = {part.strip(b" \t") for value in values for part in value.split(b",")}
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise BadMessage("a length that is none, or several that differ")
    return int(length)


# Of one connection, not of the message (RFC 9110, 7.6.1): they end at each hop.
_OF_THE_CONNECTION: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"te"))
# Clients list what is not the connection's; to take these out would change the message itself.
_NEVER_DROPPED: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"host", b"content-type", b"authorization")
)


def end_to_end_fields(head: Head, dropped: frozenset[bytes] = frozenset()) -> Fields:
    """Give the fields that go on to the next hop: without the connection's own, without those that
    `Connection` lists, and without `dropped` (names in lower case).
    """
    gone = _OF_THE_CONNECTION | dropped
    listed = head.tokens(b"connection")
    if listed:
        gone |= frozenset(listed) - _NEVER_DROPPED
    lengths = head.all(b"content-length")
    if len(lengths) > 1 or (lengths and b"," in lengths[0]):
        head = _with_one_length(head)
    return tuple([each for each in head.fields if each[0].lower() not in gone])


def _with_one_length(head: Head) -> Head:
    """Replace a length that is given several times, as RFC 9112 wants it (6.3): uvicorn and Node
    refuse such a message.
    """
    length = b"%d" % (_content_length(head) or 0)
    fields = [each for each in head.fields if each[0].lower() != b"content-length"]
    return Head(head.first, (*fields, (b"Content-Length", length)))


def forwarded_request(
    head: Head,
    line: RequestLine,
    target: bytes,
    replaced: Fields = (),
    dropped: frozenset[bytes] = frozenset(),
) -> Head:
    """Give a request's head for the next hop, on a connection of its own.

    `replaced` are fields that take the place of the client's, `dropped` names in lower case.
    """
    upgrade = requested_upgrade(head)
    gone = dropped | {b"upgrade", b"http2-settings"} | {name.lower() for name, _ in replaced}
    if upgrade is None:
        last: Fields = ((b"Connection", b"close"),)
    else:
        last = ((b"Connection", b"Upgrade"), (b"Upgrade", upgrade))
    first = b"%b %b HTTP/1.%b" % (line.method, target, line.minor)
    return Head(first, (*replaced, *end_to_end_fields(head, gone), *last))


def forwarded_answer(head: Head, dropped: frozenset[bytes] = frozenset()) -> Head:
    """Give the head of an answer for the client, without `dropped` (names in lower case).

    Its version is ours (RFC 9110, 2.5), because the connection to the client is. A server of
    HTTP/1.0 may send chunks all the same, most clients read them, and so do we; but Go's takes
    them for content that ends with the connection, and would wait for an end that does not come.
    """
    said = head.first.partition(b" ")[2]
    return Head(b"HTTP/1.1 " + said, end_to_end_fields(head, dropped))


def requested_upgrade(head: Head) -> bytes | None:
    """The protocol that a request offers to change to, if it may be passed on.

    HTTP/2 is not: we follow the connection as HTTP/1, and an intermediary drops an offer of a
    protocol that it does not speak (`curl --http2` and the JDK offer h2c with every request).
    """
    if b"upgrade" not in head.tokens(b"connection"):
        return None
    protocols = head.tokens(b"upgrade")
    if not protocols or any(each.startswith((b"h2", b"http/")) for each in protocols):
        return None
    return head.first_of(b"upgrade")
