"""Where a placeholder stands for the key in a request's head, and what takes its place."""

from __future__ import annotations

import pytest

from llmgwd.net.http1_heads import parse_head
from llmgwd.relay.http.key_injection import keys_in, takes_key, with_key

KEY = "sk-the-key"


def head_with(*fields: str) -> bytes:
    return "\r\n".join(["POST /v1/messages HTTP/1.1", "Host: localhost", *fields]).encode()


@pytest.mark.parametrize(
    ("field", "becomes"),
    [
        ("Authorization: Bearer llmgw", "Authorization: Bearer sk-the-key"),
        ("authorization: bearer llmgw", "authorization: bearer sk-the-key"),
        ("AUTHORIZATION: BEARER  llmgw", "AUTHORIZATION: BEARER  sk-the-key"),
        ("Authorization: llmgw", "Authorization: sk-the-key"),
        ("x-api-key: llmgw", "x-api-key: sk-the-key"),
        ("X-Api-Key: llmgw", "X-Api-Key: sk-the-key"),
        ("x-litellm-api-key: llmgw", "x-litellm-api-key: sk-the-key"),
        ("x-litellm-api-key: Bearer llmgw", "x-litellm-api-key: Bearer sk-the-key"),
        ("x-goog-api-key: llmgw", "x-goog-api-key: sk-the-key"),
        ("api-key: llmgw", "api-key: sk-the-key"),
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
        "Authorization: Basic llmgw",
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


def test_a_link_of_another_site_takes_no_key_along() -> None:
    link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")

    assert not takes_key(parse_head(head_with("x-api-key: llmgw", *link)))
    assert takes_key(parse_head(head_with("x-api-key: llmgw", "Sec-Fetch-Site: same-origin")))


def test_the_keys_of_a_request_are_found_in_every_header_for_one() -> None:
    head = parse_head(head_with("Authorization: Bearer sk-a", "x-api-key: sk-b", "X-Other: sk-c"))

    assert keys_in(head) == {"sk-a", "sk-b"}
