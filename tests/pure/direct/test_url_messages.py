"""The heads that change on the way to another host, and the URL that says which."""

from __future__ import annotations

import pytest

from llmgwd.direct.address import Address, parse_url
from llmgwd.direct.rewrite import client_response, upstream_request
from llmgwd.errors import ConfigError
from llmgwd.net.http1_heads import BadMessage, judge_request, parse_head
from llmgwd.relay.http.kept_request import origin_form

HOME = parse_url("https://gateway.example")
PREFIXED = parse_url("http://gateway.example:8080/llm/")


def request(text: str, address: Address = HOME) -> bytes:
    head = parse_head(f"{text}\r\nHost: localhost:4000".encode())
    line = judge_request(head)
    return upstream_request(head, line, origin_form(line.target), address).raw()


def test_a_request_gets_the_name_of_its_upstream_and_keeps_the_rest_in_order() -> None:
    rewritten = request(
        "POST /v1/messages?beta=true HTTP/1.1\r\n"
        "Authorization: Bearer sk-1\r\nx-api-key: sk-2\r\nX-Double: a\r\nx-double: b"
    )

    assert rewritten == (
        b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: gateway.example\r\n"
        b"Authorization: Bearer sk-1\r\nx-api-key: sk-2\r\nX-Double: a\r\nx-double: b\r\n"
        b"Connection: close\r\n\r\n"
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
        b"GET / HTTP/1.1\r\nHost: gateway.example\r\nX-Kept: 1\r\nConnection: close\r\n\r\n"
    )


def test_an_upgrade_is_asked_of_the_upstream() -> None:
    rewritten = request("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket")

    assert rewritten.endswith(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert rewritten.lower().count(b"connection:") == 1


@pytest.mark.parametrize("offered", ["h2c", "HTTP/2.0", "websocket, h2c"])
def test_an_offer_of_http_2_ends_here(offered: str) -> None:
    rewritten = request(
        f"GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {offered}\r\n"
        "HTTP2-Settings: AAMAAABk"
    )

    assert rewritten == (b"GET / HTTP/1.1\r\nHost: gateway.example\r\nConnection: close\r\n\r\n")


def test_a_body_keeps_its_length_even_where_connection_lists_it() -> None:
    assert b"Transfer-Encoding: chunked" in request(
        "POST / HTTP/1.1\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked"
    )


@pytest.mark.parametrize(
    "first", ["CONNECT x:1 HTTP/1.1", "GET / HTTP/2.0", "GET  / HTTP/1.1", "GET"]
)
def test_what_is_not_a_request_for_an_origin_is_refused(first: str) -> None:
    with pytest.raises(BadMessage):
        request(first)


def response(text: str, address: Address = HOME) -> bytes:
    return client_response(parse_head(text.encode()), address).raw()


def test_an_answer_passes_as_it_came() -> None:
    head = "HTTP/1.1 529 \r\ncontent-type: text/event-stream\r\nset-cookie: a=1\r\nset-cookie: b=2"

    assert response(head) == head.encode() + b"\r\n\r\n"


def test_what_an_answer_says_of_its_connection_and_its_host_ends_here() -> None:
    rewritten = response(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"
        'Alt-Svc: h3=":443"\r\nX: 1'
    )

    assert rewritten == b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\n"


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
