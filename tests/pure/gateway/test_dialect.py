"""Which dialect a client speaks, and the error event that ends a stream in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.gateway.dialect import Dialect, dialect_of, error_event
from llmgwd.net.http1_heads import Head


@pytest.mark.parametrize(
    ("target", "dialect"),
    [
        (b"/v1/messages", Dialect.ANTHROPIC),
        (b"/v1/messages?beta=true", Dialect.ANTHROPIC),
        (b"/v1/messages/count_tokens", Dialect.ANTHROPIC),
        (b"/anthropic/v1/messages", Dialect.ANTHROPIC),
        (b"http://localhost:4000/v1/messages", Dialect.ANTHROPIC),
        (b"/v1/chat/completions", Dialect.OPENAI),
        (b"/v1/messages-of-another-kind", Dialect.OPENAI),
        (b"/v1/responses", Dialect.OPENAI_RESPONSES),
        (b"/responses/resp_1/cancel", Dialect.OPENAI_RESPONSES),
        (b"/v1beta/models/gemini-pro:streamGenerateContent?alt=sse", Dialect.GEMINI),
        (b"/v1/models/gemini-pro:generateContent", Dialect.GEMINI),
        (b"/gemini/v1beta/models/gemini-pro:generateContent", Dialect.GEMINI),
        (b"/v1/models?of=:generateContent", Dialect.OPENAI),
        (b"/", Dialect.OPENAI),
        (b"*", Dialect.OPENAI),
    ],
)
def test_the_path_tells_the_dialect(target: bytes, dialect: Dialect) -> None:
    assert dialect_of(target, None) is dialect


@pytest.mark.parametrize("name", [b"anthropic-version", b"Anthropic-Version"])
def test_where_the_path_says_nothing_the_sdks_own_field_does(name: bytes) -> None:
    head = Head(b"GET /v1/models HTTP/1.1", ((name, b"2023-06-01"),))

    assert dialect_of(b"/v1/models", head) is Dialect.ANTHROPIC
    assert dialect_of(b"/v1/responses", head) is Dialect.OPENAI_RESPONSES


@pytest.mark.parametrize(
    ("dialect", "name", "error"),
    [
        (
            Dialect.ANTHROPIC,
            "event: error\n",
            {"type": "error", "error": {"type": "api_error", "message": "Broken."}},
        ),
        (
            Dialect.OPENAI,
            "",
            {
                "error": {
                    "message": "Broken.",
                    "type": "server_error",
                    "param": None,
                    "code": "tunnel-lost",
                }
            },
        ),
        (
            Dialect.OPENAI_RESPONSES,
            "event: error\n",
            {
                "type": "error",
                "code": "tunnel-lost",
                "message": "Broken.",
                "param": None,
                "error": {
                    "message": "Broken.",
                    "type": "server_error",
                    "param": None,
                    "code": "tunnel-lost",
                },
            },
        ),
        (
            Dialect.GEMINI,
            "",
            {"error": {"code": 502, "message": "Broken.", "status": "UNAVAILABLE"}},
        ),
    ],
)
def test_an_error_event_is_as_the_provider_would_send_it(
    dialect: Dialect, name: str, error: dict[str, object]
) -> None:
    event = error_event(dialect, 502, "tunnel-lost", "Broken.").decode()

    assert event.startswith(f"{name}data: ")
    assert event.endswith("\n\n")
    assert json.loads(event.removeprefix(f"{name}data: ")) == error


@given(dialect=st.sampled_from(Dialect), sentence=st.text())
def test_any_sentence_makes_one_event(dialect: Dialect, sentence: str) -> None:
    event = error_event(dialect, 502, "internal", sentence)

    assert event.count(b"\n\n") == 1
    assert event.endswith(b"\n\n")
    assert event.count(b"data: ") == 1 + sentence.encode().count(b"data: ")
    assert b"\r" not in event
