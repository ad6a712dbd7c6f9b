"""The 503 that a client reads when nothing can carry its connection."""

from __future__ import annotations

import http.client
import io
import json
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.gateway.unavailable import refusal

SENTENCE = "No pod of service/litellm is ready."
REMEDY = "Run: kubectl -n litellm get pods"


def answer_to(first_bytes: bytes, **options: Any) -> bytes | None:
    return refusal(first_bytes, "no-ready-pod", SENTENCE, REMEDY, 5, **options)


def parsed(raw: bytes | None, method: str = "POST") -> tuple[int, Message, Any]:
    """Read an answer with the standard library's own client."""
    assert raw is not None

    class Socket:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(raw)

    response = http.client.HTTPResponse(Socket(), method=method)  # type: ignore[arg-type]
    response.begin()
    body = response.read()
    return response.status, response.headers, json.loads(body) if body else None


def post(path: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost:4000", *headers, "", ""]
    return "\r\n".join(lines).encode() + b'{"model":'


def test_messages_are_refused_in_anthropics_dialect() -> None:
    status, headers, body = parsed(answer_to(post("/v1/messages")))

    assert status == 503
    assert headers["Retry-After"] == "5"
    assert headers["Connection"] == "close"
    assert body == {
        "type": "error",
        "error": {"type": "api_error", "message": f"llmgw: {SENTENCE} {REMEDY}"},
    }


def test_everything_else_is_refused_in_openais_dialect() -> None:
    _, _, body = parsed(answer_to(post("/v1/chat/completions")))

    assert body == {
        "error": {
            "message": f"llmgw: {SENTENCE} {REMEDY}",
            "type": "server_error",
            "param": None,
            "code": "no-ready-pod",
        }
    }


@pytest.mark.parametrize(
    ("first_bytes", "is_anthropic"),
    [
        (post("/v1/messages?beta=true"), True),
        (post("/v1/messages/count_tokens"), True),
        (post("/anthropic/v1/messages"), True),
        (post("http://localhost:4000/v1/messages"), True),
        (post("/v1/models", "Anthropic-Version: 2023-06-01"), True),
        (b"POST /v1/messages", True),
        (post("/v1/messages-of-another-kind"), False),
        (post("/v1/models"), False),
        (b"POST /x HTTP/1.1\r\nHost: a\r\n\r\n\nanthropic-version: in the body", False),
    ],
)
def test_the_dialect_follows_path_and_version_header(
    first_bytes: bytes, is_anthropic: bool
) -> None:
    _, _, body = parsed(answer_to(first_bytes))

    assert ("type" in body) is is_anthropic


@pytest.mark.parametrize(
    "first_bytes",
    [
        b"",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"GET /\r\n",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        b"EHLO localhost\r\n",
    ],
)
def test_what_is_not_http_1_gets_no_answer(first_bytes: bytes) -> None:
    assert answer_to(first_bytes) is None


@pytest.mark.parametrize("cut", range(5, 30))
def test_a_request_cut_anywhere_is_still_answered(cut: int) -> None:
    status, _, _ = parsed(answer_to(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n"[:cut]))

    assert status == 503


def test_head_gets_the_headers_alone() -> None:
    raw = answer_to(b"HEAD /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")

    assert raw is not None
    assert raw.endswith(b"\r\n\r\n")
    assert parsed(raw, "HEAD")[0] == 503


def test_a_first_attempt_is_let_repeat_and_a_repeated_one_told_to_stop() -> None:
    first = parsed(answer_to(post("/v1/messages", "X-Stainless-Retry-Count: 0")))[1]
    second = parsed(answer_to(post("/v1/messages", "x-stainless-retry-count: 1")))[1]

    assert first["x-should-retry"] is None
    assert second["x-should-retry"] == "false"


def test_what_only_a_person_can_help_is_not_repeated() -> None:
    headers = parsed(answer_to(post("/v1/messages"), needs_person=True))[1]

    assert headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("asked", "told"), [(0, "1"), (-3, "1"), (4, "4"), (3600, "5")])
def test_retry_after_stays_within_what_a_client_can_wait(asked: int, told: str) -> None:
    raw = refusal(post("/v1/models"), "no-pods", "None.", "", asked)

    assert parsed(raw)[1]["Retry-After"] == told


@given(message=st.text(), remedy=st.text(), rest=st.binary())
def test_any_sentence_makes_a_whole_response(message: str, remedy: str, rest: bytes) -> None:
    raw = refusal(post("/v1/models") + rest, "internal", message, remedy, 3)

    _, _, body = parsed(raw)
    assert body["error"]["message"].startswith(f"llmgw: {message.strip()}")
    assert body["error"]["message"].endswith(remedy.strip())


def test_a_sentence_without_a_full_stop_gets_one_before_its_remedy() -> None:
    raw = refusal(post("/v1/models"), "no-pods", "no pods", "kubectl get pods", 3)

    assert parsed(raw)[2]["error"]["message"] == "llmgw: no pods. kubectl get pods"


@given(st.binary())
def test_no_first_bytes_raise(first_bytes: bytes) -> None:
    answer_to(first_bytes)
