"""What passes on is read by other parsers as we read it, or is refused by them.

The judges are h11 (httpx, the SDKs, uvicorn's plain parser) and llhttp (Node, aiohttp, uvicorn).
Messages are put together from pieces that parsers are known to read differently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import h11
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmgwd.gateway.dialect import Dialect
from llmgwd.net.http1 import REQUEST_START, Body, End, MessageReader
from llmgwd.net.http1_heads import (
    BadMessage,
    Head,
    forwarded_answer,
    forwarded_request,
    judge_request,
    request_length,
)
from llmgwd.relay.http.answer import Answer

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
CONTENT = st.sampled_from([b"", b"hello", HIDDEN])
CHUNKED_CONTENT = st.sampled_from([b"hello", HIDDEN])
SPACE = st.sampled_from([b"", b" ", b" ", b" ", b"\t", b" \t ", b"\x0b", b"\r\n "])
LINE_END = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])
CODING = st.sampled_from(
    b"chunked|chunked|chunked|Chunked|chunked,|, chunked|chunked, chunked|identity|gzip, chunked"
    b"|xchunked||chunked;q=1|identity, chunked".split(b"|")
)
LENGTH = st.sampled_from([b"%d", b"%d", b"%d", b"%d, %d", b"+%d", b"0%d", b"%d,", b"-%d", b""])
SIZE = st.sampled_from(
    b'%x|%x|%x|%X|00%x|0x%x|%x |%x\t| %x|+%x|%x;a=b|%x;a="b;c"|%x;a\n|ffffffffffffffff%x'.split(
        b"|"
    )
)
OTHER = st.sampled_from(
    [
        b"Connection: close",
        b"Connection: x-a, content-length",
        b"Connection: transfer-encoding",
        b"X-A: 1",
        b"Upgrade: h2c",
        b"Expect: 100-continue",
        b"A: b\r\n c",
        b"A: b\rc",
        b"A\0: b",
        b"A : b",
        b"A: \xff",
        b"Cookie: a=b",
    ]
)
FIRST_LINES = [b"POST / HTTP/1.1", b"POST / HTTP/1.1", b"GET /a?b HTTP/1.1", b"POST / HTTP/1.0"]
STATUS_LINES = [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b"HTTP/1.1 204 ", b"HTTP/1.0 200 OK"]


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    raw = b""
    for content in draw(st.lists(CHUNKED_CONTENT, max_size=2)):
        raw += _filled(draw(SIZE), len(content)) + draw(LINE_END) + content + draw(LINE_END)
    trailers = draw(
        st.lists(st.sampled_from([b"X-T: 1\r\n", b"Host: y\r\n", b"bad\r\n"]), max_size=1)
    )
    return raw + b"0\r\n" + b"".join(trailers) + b"\r\n"


@st.composite
def messages(draw: st.DrawFn, first_lines: list[bytes], own: list[bytes]) -> bytes:
    content = draw(CONTENT)
    fields = [*own, *draw(st.lists(OTHER, max_size=2))]
    is_chunked, is_twice = draw(st.booleans()), draw(st.integers(0, 3)) == 0
    for _ in range(2 if is_twice else 1):
        name = b"Transfer-Encoding:" if is_chunked else b"Content-Length:"
        value = draw(CODING) if is_chunked else _filled(draw(LENGTH), len(content))
        fields.append(name + draw(SPACE) + value + draw(SPACE))
    line_end = draw(LINE_END)
    head = line_end.join([draw(st.sampled_from(first_lines)), *draw(st.permutations(fields))])
    return head + line_end * 2 + (draw(chunks()) if is_chunked else content)


class Reading(NamedTuple):
    first: tuple[bytes, ...]
    content: bytes


def _filled(form: bytes, size: int) -> bytes:
    return form % ((size,) * form.count(b"%"))


def _as_h11_reads(raw: bytes, connection: h11.Connection) -> Reading | None:
    """Read one message with nothing behind it; None: it is refused."""
    first, content = (b"",), b""
    connection.receive_data(raw)
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if isinstance(event, h11.Request):
            first = (event.method, event.target)
        elif isinstance(event, h11.Response):
            first = (b"%d" % event.status_code,)
        elif isinstance(event, h11.Data):
            content += event.data
        elif not isinstance(event, h11.InformationalResponse):
            assert isinstance(event, h11.EndOfMessage), f"{event}: {raw!r}"
            assert connection.trailing_data[0] == b"", raw
            return Reading(first, content)


def _as_llhttp_reads(raw: bytes, loop: asyncio.AbstractEventLoop) -> Reading | None:
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
    try:
        found, _, tail = parser.feed_data(raw)
    except HttpProcessingError:
        return None
    ((message, payload),) = found
    if payload.exception() is not None:
        return None
    assert payload.is_eof(), raw
    assert tail == b"", raw
    content = b"".join(getattr(payload, "_buffer", ()))
    return Reading((message.method.encode(), message.path.encode()), content)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """aiohttp's parser holds a loop; this one never runs."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@settings(max_examples=300, deadline=None)
@given(raw=messages(FIRST_LINES, [b"Host: x"]))
@example(raw=b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello")
@example(raw=b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello")
def test_a_request_is_one_request_to_every_server(
    loop: asyncio.AbstractEventLoop, raw: bytes
) -> None:
    reader, passed, first = MessageReader(REQUEST_START, request_length), b"", (b"",)
    content = bytearray()
    reader.content = content.extend
    try:
        events = reader.feed(raw)
        for event in events:
            if isinstance(event, Head):
                line = judge_request(event)
                passed = forwarded_request(event, line, line.target).raw()
                first = (line.method, line.target)
            elif isinstance(event, Body):
                passed += event.payload
    except BadMessage:
        return
    if not any(isinstance(event, End) for event in events):
        return

    readings = [_as_h11_reads(passed, h11.Connection(h11.SERVER)), _as_llhttp_reads(passed, loop)]
    assert all(reading in (None, (first, bytes(content))) for reading in readings), (
        readings,
        passed,
    )
    if (
        b"," in raw
        and b"\r\nContent-Length" in raw
        and not any(c in raw for c in (b"\x0b", b"\xff"))
    ):
        # A length that is given twice is no reason for a server to refuse the request.
        assert None not in readings, passed


@settings(max_examples=300, deadline=None)
@given(raw=messages(STATUS_LINES, [b"Server: x"]))
@example(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n")
def test_an_answer_ends_for_its_client_where_it_ends_for_us(raw: bytes) -> None:
    def render(head: Head, _is_until_close: bool) -> bytes:
        return forwarded_answer(head).raw()

    answer = Answer(b"GET", Dialect.OPENAI, render, passes_interim=True, may_upgrade=False)
    try:
        passed = answer.feed(raw)
    except BadMessage:
        return
    if not answer.is_whole:
        return

    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    reading = _as_h11_reads(passed, client)
    assert reading is not None, passed
    assert reading.first == (b"%d" % (answer.status or 0),)
