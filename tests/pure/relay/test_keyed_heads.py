"""Where a placeholder stands for the key in a request's head, and what takes its place."""

from __future__ import annotations

import pytest

from llmgwd.net.http1_heads import parse_head
from llmgwd.relay.http.key_injection import is_key_placeholder, keys_in, takes_key, with_key

KEY = "sk-the-key"


def head_with(*fields: str) -> bytes:
    return "\r\n".join(["POST /v1/messages HTTP/1.1", "Host: localhost", *fields]).encode()


@pytest.mark.parametrize(
    ("field", "becomes"),
    [
        ("Authorization: Bearer llmgw", "Authorization: Bearer sk-the-key"),
        ("authorization: bearer llmgw", "authorization: bearer sk-the-key"),
        ("AUTHORIZATION: BEARER  llmgw", "AUTHORIZATION: BEARER  sk-the-key"),
        ("Authorization: Basic llmgw", "Authorization: Basic sk-the-key"),
        ("x-api-key: llmgw", "x-api-key: sk-the-key"),
        ("X-Api-Key: llmgw", "X-Api-Key: sk-the-key"),
        ("x-litellm-api-key: llmgw", "x-litellm-api-key: sk-the-key"),
        ("x-litellm-api-key: Bearer llmgw", "x-litellm-api-key: Bearer sk-the-key"),
        ("x-goog-api-key: llmgw", "x-goog-api-key: sk-the-key"),
        ("api-key: llmgw", "api-key: sk-the-key"),
        ("API-Key:   llmgw  ", "API-Key: sk-the-key"),
        ("Ocp-Apim-Subscription-Key: llmgw", "Ocp-Apim-Subscription-Key: sk-the-key"),
    ],
)
def test_the_key_takes_the_placeholder_s_place_and_nothing_else_changes(
    field: str, becomes: str
) -> None:
    head = parse_head(head_with("X-Trace: llmgw", field, "User-Agent: llmgw"))

    assert takes_key(head)
    expected = head_with("X-Trace: llmgw", becomes, "User-Agent: llmgw")
    assert with_key(head, KEY) == parse_head(expected)


@pytest.mark.parametrize(
    "field",
    [
        "Authorization: Bearer sk-mine",
        "Authorization: Bearer llmgw2",
        "Authorization: Bearer sk-llmgw",
        # LiteLLM would take these for malformed, or for another key.
        "Authorization: llmgw",
        "Authorization: Digest llmgw",
        "Authorization: Basic bGxtZ3c6",
        "Authorization: Bearer llmgw, Bearer sk-mine",
        'Authorization: Bearer "llmgw"',
        "x-api-key: Bearer llmgw",
        "api-key: Bearer llmgw",
        "x-litellm-api-key-2: llmgw",
        "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.llmgw",
        "x-api-key: sk-mine",
        "x-api-key: LLMGW",
        "Cookie: token=llmgw",
        "X-Forwarded-For: llmgw",
        "Proxy-Authorization: Bearer llmgw",
    ],
)
def test_a_request_with_another_key_or_none_stays_as_it_is(field: str) -> None:
    head = parse_head(head_with(field))

    assert not takes_key(head)
    assert with_key(head, KEY) == head


def test_beside_another_key_only_the_placeholder_is_replaced() -> None:
    head = parse_head(head_with("Authorization: Bearer sk-mine", "x-api-key: llmgw"))

    assert takes_key(head)
    assert with_key(head, KEY) == parse_head(
        head_with("Authorization: Bearer sk-mine", "x-api-key: sk-the-key")
    )


def test_a_request_that_its_answer_repeats_takes_no_key_along() -> None:
    head = head_with("x-api-key: llmgw").replace(b"POST", b"TRACE")

    assert not takes_key(parse_head(head))


def test_the_placeholder_is_nowhere_but_in_fields() -> None:
    head = parse_head(b"POST /v1beta/models/x:generateContent?key=llmgw HTTP/1.1\r\nHost: x")

    assert not takes_key(head)


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        (("Authorization: Bearer llmgw",), True),
        (("Authorization: Bearer llmgw", "x-api-key: llmgw"), True),
        (("Authorization: Bearer llmgw", "x-api-key: sk-mine"), True),
        (("Authorization: Bearer sk-mine", "x-api-key: llmgw"), False),
        (("Authorization: Bearer sk-mine", "x-litellm-api-key: llmgw"), True),
        (("x-litellm-api-key: sk-mine", "Authorization: Bearer llmgw"), False),
        (("Authorization:", "x-goog-api-key: llmgw"), True),
        (("x-api-key: sk-mine", "x-api-key: llmgw"), False),
    ],
)
def test_an_answer_judges_our_key_where_litellm_takes_the_placeholder_for_the_key(
    fields: tuple[str, ...], *, counts: bool
) -> None:
    assert is_key_placeholder(parse_head(head_with(*fields))) is counts


def test_a_page_that_may_ask_takes_the_key_along_although_it_is_another_site_s() -> None:
    page = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Origin: app://obsidian.md")

    assert takes_key(parse_head(head_with("x-api-key: llmgw", *page)))


def test_an_answer_to_the_key_is_asked_for_uncompressed() -> None:
    head = parse_head(head_with("Accept-Encoding: gzip, br", "x-api-key: llmgw"))

    assert with_key(head, KEY).all(b"accept-encoding") == [b"identity"]


def test_a_link_of_another_site_takes_no_key_along() -> None:
    link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")

    assert not takes_key(parse_head(head_with("x-api-key: llmgw", *link)))
    assert takes_key(parse_head(head_with("x-api-key: llmgw", "Sec-Fetch-Site: same-origin")))


def test_the_keys_of_a_request_are_found_in_every_header_for_one() -> None:
    head = parse_head(head_with("Authorization: Bearer sk-a", "x-api-key: sk-b", "X-Other: sk-c"))

    assert keys_in(head) == {"sk-a", "sk-b"}
