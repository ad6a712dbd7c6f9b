"""HTTP/1.1 messages cut anywhere, and the heads that change on the way to another host."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.direct.rewrite import Address, parse_url, rewrite_request, rewrite_response
from llmgwd.errors import ConfigError
from llmgwd.net.http1 import (
    REQUEST_START,
    RESPONSE_START,
    BadMessage,
    Body,
    Event,
    Head,
    Length,
    MessageReader,
    parse_head,
    request_length,
    response_length,
)

HOME = parse_url("https://gateway.example")
PREFIXED = parse_url("http://gateway.example:8080/llm/")


def requests() -> MessageReader:
    return MessageReader(REQUEST_START, request_length)


def responses(method: bytes = b"GET") -> MessageReader:
    return MessageReader(RESPONSE_START, lambda head: response_length(head, method))


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


@given(cuts=st.lists(st.integers(1, len(PIPELINE)), max_size=20))
def test_a_pipeline_is_the_same_however_the_network_cuts_it(cuts: list[int]) -> None:
    reader, events = requests(), list[Event]()
    edges = sorted({0, len(PIPELINE), *cuts})
    for start, end in itertools.pairwise(edges):
        events += reader.feed(PIPELINE[start:end])

    assert shape(events) == [
        "GET /a HTTP/1.1", "end",
        "POST /b HTTP/1.1", CHUNKED_BODY, "end",
        "POST /c HTTP/1.1", b"xyz", "end",
        "DELETE /d HTTP/1.1", "end",
    ]  # fmt: skip
    assert reader.is_between


@pytest.mark.parametrize(
    ("head", "method", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"GET", 5),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5", b"GET", 5),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"HEAD", 0),
        (b"HTTP/1.1 204 No Content", b"GET", 0),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5", b"GET", 0),
        (b"HTTP/1.1 100 Continue", b"POST", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", b"GET",
         Length.CHUNKED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", b"GET", Length.CHUNKED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", b"GET", Length.UNTIL_CLOSE),
        (b"HTTP/1.0 200 OK", b"GET", Length.UNTIL_CLOSE),
        (b"HTTP/1.1 529 ", b"POST", Length.UNTIL_CLOSE),
        (b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5", b"GET", Length.FOR_EVER),
    ],
)  # fmt: skip
def test_an_answer_ends_where_the_standard_says(
    head: bytes, method: bytes, length: int | Length
) -> None:
    assert response_length(parse_head(head), method) == length


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"get / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nName: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nName : a\r\n\r\n",
        b"GET / HTTP/1.1\r\n: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n",
        b"GET / HTTP/1.1\r\nName: " + b"x" * 70_000,
        b"GET / HTTP/1.1\r\nName: a\rb\r\n\r\n",
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        list(requests().feed(raw))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    for reader, start in ((requests(), b"POST / HTTP/1.1\r\n"), (responses(), b"HTTP/1.1 200\r\n")):
        try:
            list(reader.feed(start))
            list(reader.feed(raw))
        except BadMessage:
            continue


def test_after_an_upgrade_everything_passes() -> None:
    reader = responses()

    events = list(reader.feed(b"HTTP/1.1 101 X\r\n\r\nHTTP/1.1 \x00\xff"))

    assert events[1:] == [Body(b"HTTP/1.1 \x00\xff")]
    assert reader.may_close


@pytest.mark.parametrize(
    "middle", [b"HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\nab", b"HTTP/1.1 2"]
)
def test_the_middle_of_an_answer_is_no_place_to_close(middle: bytes) -> None:
    reader = responses()
    list(reader.feed(middle))

    assert not reader.may_close


def request(text: str, address: Address = HOME) -> bytes:
    return rewrite_request(parse_head(text.encode()), address)


def test_a_request_gets_the_name_of_its_upstream_and_keeps_the_rest_in_order() -> None:
    rewritten = request(
        "POST /v1/messages?beta=true HTTP/1.1\r\nHost: localhost:4000\r\n"
        "Authorization: Bearer sk-1\r\nx-api-key: sk-2\r\nX-Double: a\r\nx-double: b"
    )

    assert rewritten == (
        b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: gateway.example\r\n"
        b"Authorization: Bearer sk-1\r\nx-api-key: sk-2\r\nX-Double: a\r\nx-double: b\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/v1/models", b"/llm/v1/models"),
        ("http://localhost:4000/v1/models?x=1", b"/llm/v1/models?x=1"),
        ("http://localhost:4000", b"/llm/"),
        ("*", b"*"),
    ],
)
def test_the_path_of_the_url_comes_before_every_path(target: str, sent: bytes) -> None:
    first, host, *_ = request(f"OPTIONS {target} HTTP/1.1", PREFIXED).split(b"\r\n")

    assert first == b"OPTIONS " + sent + b" HTTP/1.1"
    assert host == b"Host: gateway.example:8080"


def test_headers_of_one_hop_end_here_with_those_that_connection_lists() -> None:
    rewritten = request(
        "GET / HTTP/1.1\r\nConnection: X-Mine, keep-alive, TE\r\nX-Mine: 1\r\nTE: trailers\r\n"
        "Proxy-Connection: close\r\nProxy-Authorization: Basic x\r\nUpgrade: h2c\r\nX-Kept: 1"
    )

    assert rewritten == (
        b"GET / HTTP/1.1\r\nHost: gateway.example\r\nX-Kept: 1\r\nConnection: keep-alive\r\n\r\n"
    )


def test_an_upgrade_is_asked_of_the_upstream() -> None:
    rewritten = request("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket")

    assert b"\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" in rewritten


def test_a_body_keeps_its_length_even_where_connection_lists_it() -> None:
    assert b"Transfer-Encoding: chunked" in request(
        "POST / HTTP/1.1\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked"
    )


def test_of_two_lengths_only_the_chunks_go_on() -> None:
    rewritten = request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3")

    assert b"Content-Length" not in rewritten
    assert b"Transfer-Encoding: chunked" in rewritten


@pytest.mark.parametrize(
    "first", ["CONNECT x:1 HTTP/1.1", "GET / HTTP/2.0", "GET  / HTTP/1.1", "GET"]
)
def test_what_is_not_a_request_for_an_origin_is_refused(first: str) -> None:
    with pytest.raises(BadMessage):
        request(first)


def response(text: str, address: Address = HOME, *, is_last: bool = False) -> bytes:
    return rewrite_response(parse_head(text.encode()), address, is_last=is_last)


def test_an_answer_passes_as_it_came() -> None:
    head = "HTTP/1.1 529 \r\ncontent-type: text/event-stream\r\nset-cookie: a=1\r\nset-cookie: b=2"

    assert response(head) == head.encode() + b"\r\n\r\n"


def test_the_last_answer_asks_for_a_new_connection() -> None:
    rewritten = response(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nX: 1", is_last=True
    )

    assert rewritten == b"HTTP/1.1 200 OK\r\nX: 1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("address", "location", "passed"),
    [
        (HOME, "http://gateway.example/ui/", "/ui/"),
        (HOME, "https://gateway.example:443", "/"),
        (HOME, "https://Gateway.Example/ui/?a=http://x", "/ui/?a=http://x"),
        (HOME, "https://login.example/oauth", "https://login.example/oauth"),
        (HOME, "/ui/", "/ui/"),
        (HOME, "ui/", "ui/"),
        (HOME, "//other.example/x", "//other.example/x"),
        (PREFIXED, "http://gateway.example:8080/llm/ui/", "/ui/"),
        (PREFIXED, "/llm", "/"),
        (PREFIXED, "/llm?x=1", "/?x=1"),
        (
            PREFIXED,
            "http://gateway.example:8080/elsewhere",
            "http://gateway.example:8080/elsewhere",
        ),
        (PREFIXED, "/llmore", "/llmore"),
    ],
)
def test_a_redirect_to_the_upstream_itself_stays_local(
    address: Address, location: str, passed: str
) -> None:
    rewritten = response(f"HTTP/1.1 307 X\r\nlocation: {location}", address)

    assert rewritten == f"HTTP/1.1 307 X\r\nlocation: {passed}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("url", "authority", "prefix"),
    [
        ("https://a.example", "a.example", ""),
        ("https://a.example:443/", "a.example", ""),
        ("http://a.example:443/x/", "a.example:443", "/x"),
        ("http://[::1]:8080", "[::1]:8080", ""),
    ],
)
def test_a_url_is_read(url: str, authority: str, prefix: str) -> None:
    address = parse_url(url)

    assert (address.authority, address.prefix) == (authority, prefix)


@pytest.mark.parametrize(
    "url",
    ["a.example", "ftp://a.example", "https://", "https://u:secret@a.example", "https://a/?k=v",
     "https://a:99999"],
)  # fmt: skip
def test_a_url_that_is_more_or_less_than_an_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_url(url)

    assert "secret" not in str(refused.value)
