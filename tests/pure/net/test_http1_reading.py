"""HTTP/1.1 messages cut anywhere: the same events, and what two parsers could dispute refused."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.net.http1 import (
    MAX_HEAD_BYTES,
    REQUEST_START,
    RESPONSE_START,
    Body,
    Event,
    HeadTooLarge,
    MessageReader,
)
from llmgwd.net.http1_heads import (
    BadMessage,
    Head,
    Length,
    judge_request,
    parse_head,
    request_length,
    response_length,
)


def requests() -> MessageReader:
    return MessageReader(REQUEST_START, request_length)


def responses(method: bytes = b"GET") -> MessageReader:
    return MessageReader(RESPONSE_START, lambda head: response_length(head, method))


def all_of(reader: MessageReader, data: bytes) -> list[Event]:
    """Feed, and go on for as long as messages wait behind one another."""
    events = reader.feed(data)
    while reader.rest and (more := reader.feed(b"")):
        events += more
    return events


def feed_in_pieces_of(size: int, reader: MessageReader, raw: bytes) -> None:
    for start in range(0, len(raw), size):
        reader.feed(raw[start : start + size])


def judged(raw: bytes) -> None:
    """Read a request as a connection does."""
    reader = requests()
    for event in all_of(reader, raw):
        if isinstance(event, Head):
            judge_request(event)


def shape(events: list[Event]) -> list[object]:
    """Heads by their first line, bodies joined, however they were cut."""
    shown: list[object] = []
    for event in events:
        if isinstance(event, Body) and shown and isinstance(shown[-1], bytes):
            shown[-1] += event.payload
        else:
            shown.append(
                event.first.decode() if isinstance(event, Head) else
                event.payload if isinstance(event, Body) else "end"
            )  # fmt: skip
    return shown


CHUNKED_BODY = b"4;a=b\r\nabcd\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n"
PIPELINE = (
    b"\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED_BODY +
    b"POST /c HTTP/1.1\nHost: x\nContent-Length: 3\n\nxyz"
    b"DELETE /d HTTP/1.1\r\n\r\n"
)  # fmt: skip
CUTS = st.lists(st.integers(1, len(PIPELINE)), max_size=20)


@given(cuts=CUTS)
def test_a_pipeline_is_the_same_however_the_network_cuts_it(cuts: list[int]) -> None:
    reader, events, content = requests(), list[Event](), list[bytes]()
    reader.content = content.append
    for start, end in itertools.pairwise(sorted({0, len(PIPELINE), *cuts})):
        events += all_of(reader, PIPELINE[start:end])

    assert shape(events) == [
        "GET /a HTTP/1.1", "end",
        "POST /b HTTP/1.1", CHUNKED_BODY, "end",
        "POST /c HTTP/1.1", b"xyz", "end",
        "DELETE /d HTTP/1.1", "end",
    ]  # fmt: skip
    assert b"".join(content) == b"abcd0123456789abcdefxyz"
    assert reader.is_between


@given(cuts=CUTS)
def test_content_that_passes_by_is_content_that_would_have_been_fed(cuts: list[int]) -> None:
    reader, events = requests(), list[Event]()
    for start, end in itertools.pairwise(sorted({0, len(PIPELINE), *cuts})):
        piece = PIPELINE[start:end]
        events += [Body(piece)] if reader.passes(piece) else all_of(reader, piece)

    assert shape(events) == shape(all_of(requests(), PIPELINE))
    assert reader.is_between


@given(sizes=st.lists(st.integers(1, 40), max_size=6), trailers=st.integers(0, 3), data=st.data())
def test_any_chunked_body_gives_its_content_however_it_is_cut(
    sizes: list[int], trailers: int, data: st.DataObject
) -> None:
    # Data that looks like framing is data all the same.
    pieces = [(b"0\r\n\r\nGET / HTTP/1.1\r\n" * 3)[:size] for size in sizes]
    body = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    body += b"0\r\n" + b"X: y\r\n" * trailers + b"\r\n"
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=12))
    reader, events, content = responses(), list[Event](), list[bytes]()
    reader.content = content.append

    for start, end in itertools.pairwise(sorted({0, len(raw), *cuts})):
        events += reader.feed(raw[start:end])

    assert shape(events) == ["HTTP/1.1 200 OK", body, "end"]
    assert b"".join(content) == b"".join(pieces)
    assert reader.is_between


def test_reading_stops_behind_the_end_of_a_message() -> None:
    reader = requests()

    events = reader.feed(PIPELINE)

    assert shape(events) == ["GET /a HTTP/1.1", "end"]
    assert reader.rest.startswith(b"POST /b")
    assert not reader.is_between


@pytest.mark.parametrize(
    ("head", "method", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"GET", 5),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5", b"GET", 5),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5", b"GET", 5),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"HEAD", 0),
        (b"HTTP/1.1 204 No Content", b"GET", 0),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5", b"GET", 0),
        (b"HTTP/1.1 100 Continue", b"POST", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", b"GET", Length.CHUNKED),
        (b"HTTP/1.0 200 OK", b"GET", Length.UNTIL_CLOSE),
        (b"HTTP/1.1 529 ", b"POST", Length.UNTIL_CLOSE),
        (b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5", b"GET", Length.FOR_EVER),
    ],
)
def test_an_answer_ends_where_the_standard_says(
    head: bytes, method: bytes, length: int | Length
) -> None:
    assert response_length(parse_head(head), method) == length


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: ,",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:",
        b"HTTP/1.1 204 No Content\r\nContent-Length: +1",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6",
        b"HTTP/2 200",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 099 OK",
    ],
)
def test_an_answer_whose_end_could_be_disputed_is_refused(head: bytes) -> None:
    with pytest.raises(BadMessage):
        response_length(parse_head(head), b"GET")


_HOST = b"Host: x\r\n"
BAD_REQUESTS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "a method in lower case": b"get / HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a folded line": b"GET / HTTP/1.1\r\n" + _HOST + b"Name: a\r\n folded\r\n\r\n",
    "a folded first line": b"GET / HTTP/1.1\r\n Name: a\r\n" + _HOST + b"\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\n" + _HOST + b"Name : a\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\n" + _HOST + b": a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\n" + _HOST + b"Name\r\n\r\n",
    "lengths that differ": b"POST / HTTP/1.1\r\n" + _HOST
    + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "lengths that differ in one field": b"POST / HTTP/1.1\r\n" + _HOST
    + b"Content-Length: 3, 4\r\n\r\n",
    "the same length written twice differently": b"POST / HTTP/1.1\r\n" + _HOST
    + b"Content-Length: 3\r\nContent-Length: 03\r\n\r\n",
    "a length below zero": b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: -1\r\n\r\n",
    "a length with a sign": b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: +1\r\n\r\n",
    "an empty length": b"POST / HTTP/1.1\r\n" + _HOST + b"Content-Length: \r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\n" + _HOST
    + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "another coding": b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: gzip\r\n\r\n",
    "a coding before chunked": b"POST / HTTP/1.1\r\n" + _HOST
    + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\n" + _HOST
    + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "a coding that is none": b"POST / HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding:\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\n" + _HOST
    + b"Transfer-Encoding: chunked\r\n\r\n",
    "a coding with a tab for a name": b"POST / HTTP/1.1\r\n" + _HOST
    + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    "a bare CR in a value": b"GET / HTTP/1.1\r\n" + _HOST + b"Name: a\rb\r\n\r\n",
    "a bare CR in the first line": b"GET /a\rb HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a NUL": b"GET / HTTP/1.1\r\n" + _HOST + b"Name: a\0b\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "two Hosts in HTTP/1.0": b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 in the first line": b"GET / HTTP/2.0\r\n" + _HOST + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a URL of another scheme": b"GET ws://x/v1 HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a URL without an authority": b"GET http:/v1 HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a path without its slash": b"GET v1 HTTP/1.1\r\n" + _HOST + b"\r\n",
    "an authority": b"GET x:80 HTTP/1.1\r\n" + _HOST + b"\r\n",
    "more than the server": b"OPTIONS *v1 HTTP/1.1\r\n" + _HOST + b"\r\n",
    "no version": b"GET /\r\n" + _HOST + b"\r\n",
}  # fmt: skip
BAD_CHUNKS = {
    "no size": b"xyz\r\n",
    "a size as in C": b"0x5\r\nabcde\r\n",
    "a sign": b"+5\r\nabcde\r\n",
    "an empty line": b"\r\n",
    "a size that overflows": b"F" * 17 + b"\r\n",
    "data not followed by CRLF": b"5\r\nabcdeXX",
    "data followed by LF": b"5\r\nabcde\n",
    "data followed by a bare CR": b"5\r\nabcde\r0\r\n\r\n",
    "a size ended by LF": b"5\nabcde\r\n",
    "LF in an extension": b"5;a\nb\r\nabcde\r\n",
    "a bare CR in an extension": b"5;a\rb\r\nabcde\r\n",
    "an extension without end": b"5;" + b"a" * 5000,
    "a folded trailer": b"0\r\nX: y\r\n z\r\n\r\n",
    "a trailer without a name": b"0\r\n: y\r\n\r\n",
    "a trailer ended by LF": b"0\r\nX: y\n\r\n",
    "trailers without end": b"0\r\n" + b"X: y\r\n" * 4000,
}


@pytest.mark.parametrize("raw", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_head_that_two_parsers_could_read_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        judged(raw)


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_chunks_that_two_parsers_could_read_differently_are_refused(
    body: bytes, one_by_one: bool
) -> None:
    reader = requests()
    reader.feed(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

    with pytest.raises(BadMessage):
        feed_in_pieces_of(1 if one_by_one else len(body), reader, body)


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://x/v1?y HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET HTTPS://x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET //v1/../\xff?http:/x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"M-SEARCH / HTTP/1.1\r\nHost:\r\n\r\n",
    ],
)
def test_unusual_requests_that_all_read_alike_are_taken(raw: bytes) -> None:
    judged(raw)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_head_without_end_is_too_large_at_its_limit(size: int) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: x\r\nName: " + b"x" * (2 * MAX_HEAD_BYTES)
    reader = requests()

    with pytest.raises(HeadTooLarge):
        feed_in_pieces_of(size, reader, raw)
    # What it has kept of it, before the piece that was too much.
    assert len(reader._pending) <= MAX_HEAD_BYTES + size


@given(raw=st.binary(max_size=200))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    for reader, start in (
        (requests(), b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (requests(), b"POST / HTTP/1.1\r\n"),
        (responses(), b"HTTP/1.1 200\r\n"),
    ):
        try:
            all_of(reader, start)
            all_of(reader, raw)
        except BadMessage:
            continue


def test_after_an_upgrade_everything_passes() -> None:
    reader = responses()

    events = reader.feed(b"HTTP/1.1 101 X\r\n\r\nHTTP/1.1 \x00\xff")

    assert events[1:] == [Body(b"HTTP/1.1 \x00\xff")]


@pytest.mark.parametrize(
    ("came", "missing_of_chunk", "missing_end"),
    [
        (b"", b"", b"0\r\n\r\n"),
        (b"3\r\nabc\r\n", b"", b"0\r\n\r\n"),
        (b"3\r\nabc\r", b"\n", b"\n0\r\n\r\n"),
        (b"3\r\nabc", b"\r\n", b"\r\n0\r\n\r\n"),
        (b"3\r\nab", None, None),
        (b"3", None, None),
        (b"0", None, b"\r\n\r\n"),
        (b"0\r", None, b"\n\r\n"),
        (b"0\r\n", None, b"\r\n"),
        (b"0\r\n\r", None, b"\n"),
        (b"0\r\nX: y\r\n", None, None),
        (b"00", None, None),
    ],
)
def test_what_a_chunked_body_lacks_is_known_where_only_framing_is_missing(
    came: bytes, missing_of_chunk: bytes | None, missing_end: bytes | None
) -> None:
    reader = responses()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + came)

    assert (reader.missing_of_chunk, reader.missing_end) == (missing_of_chunk, missing_end)
