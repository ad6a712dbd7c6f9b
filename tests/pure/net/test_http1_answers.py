"""One answer read whole: interim ones passed over, framing taken off, a tunnel's bytes kept."""

from __future__ import annotations

import pytest

from llmgwd.net.http1_answer import AnswerReader
from llmgwd.net.http1_heads import BadMessage


def fed(raw: bytes, method: bytes = b"GET", cut: int | None = None) -> AnswerReader:
    reader = AnswerReader(method)
    for piece in (raw[:cut], raw[cut:]) if cut is not None else (raw,):
        reader.feed(piece)
    return reader


CHUNKED = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"


@pytest.mark.parametrize("cut", range(1, len(CHUNKED)))
def test_content_comes_without_its_chunks_however_the_network_cuts_it(cut: int) -> None:
    reader = fed(CHUNKED, cut=cut)

    assert (reader.status, bytes(reader.content), reader.is_whole) == (403, b"no", True)


def test_what_follows_a_101_is_no_http_any_more() -> None:
    reader = fed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n\x80\x03\0\x06")

    assert reader.status == 101
    assert reader.head is not None
    assert reader.head.first_of(b"upgrade") == b"SPDY/3.1"
    assert reader.leftover == b"\x80\x03\0\x06"


def test_a_tunnel_begins_right_behind_the_head_that_grants_it() -> None:
    granted = fed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x16\x03", b"CONNECT")
    refused = fed(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno", b"CONNECT")

    assert (granted.is_whole, granted.leftover, bytes(granted.content)) == (True, b"\x16\x03", b"")
    assert (refused.status, bytes(refused.content)) == (407, b"no")


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    reader = fed(interim)
    assert reader.head is None

    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    assert (reader.status, reader.is_whole) == (200, True)


def test_a_body_without_a_length_is_whole_when_the_connection_ends() -> None:
    reader = fed(b"HTTP/1.0 502 Bad Gateway\r\n\r\nhalf")
    assert not reader.is_whole

    reader.end()

    assert (bytes(reader.content), reader.is_whole) == (b"half", True)


@pytest.mark.parametrize("raw", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/2 200\r\n\r\n"])
def test_what_is_not_http_1_is_refused(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        fed(raw)
