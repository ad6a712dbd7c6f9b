"""The answers that llmgwd gives itself, in the dialect of who asks."""

from __future__ import annotations

import http.client
import io
import json
from dataclasses import replace
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.gateway.error_answer import Trouble, error_answer
from llmgwd.net.http1_heads import Head, parse_head

SENTENCE = "No pod of service/litellm is ready."
REMEDY = "Run: kubectl -n litellm get pods"


DOWN = Trouble(503, "no-ready-pod", SENTENCE, REMEDY, retry_after_s=5)


def answer_to(
    request: bytes, trouble: Trouble = DOWN, *, is_head: bool = False, closes: bool = False
) -> bytes:
    head = parse_head(request.partition(b"\r\n\r\n")[0])
    target = head.first.split(b" ")[1]
    return error_answer(trouble, target, head, is_head=is_head, closes=closes)


def parsed(raw: bytes, method: str = "POST") -> tuple[int, Message, Any]:
    """Read an answer with the standard library's own client."""

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
    assert headers["Connection"] is None
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


def test_where_the_head_is_not_known_the_target_alone_decides() -> None:
    raw = error_answer(DOWN, b"/v1/messages", None, is_head=False, closes=True)

    assert parsed(raw)[2]["type"] == "error"


@pytest.mark.parametrize("closes", [True, False])
def test_a_connection_that_goes_on_is_not_told_to_close(closes: bool) -> None:
    headers = parsed(answer_to(post("/v1/messages"), closes=closes))[1]

    assert headers["Connection"] == ("close" if closes else None)


def test_head_gets_the_headers_alone() -> None:
    raw = answer_to(b"HEAD /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", is_head=True)

    assert raw.endswith(b"\r\n\r\n")
    assert parsed(raw, "HEAD")[0] == 503


@pytest.mark.parametrize("status", [400, 403, 408, 431, 502, 503])
@pytest.mark.parametrize(
    ("path", "of_the_client", "of_the_server"),
    [
        ("/v1/messages", "invalid_request_error", "api_error"),
        ("/v1/chat/completions", "invalid_request_error", "server_error"),
        ("/v1/responses", "invalid_request_error", "server_error"),
    ],
)
def test_every_status_has_a_reason_and_says_whose_fault_it_is(
    status: int, path: str, of_the_client: str, of_the_server: str
) -> None:
    raw = answer_to(post(path), Trouble(status, "some-code", SENTENCE))
    told, _, body = parsed(raw)

    assert told == status
    assert raw.split(b"\r\n")[0].split(b" ", 2)[2]
    assert body["error"]["type"] == (of_the_client if status < 500 else of_the_server)
    assert body["error"]["message"] == f"llmgw: {SENTENCE}"


@pytest.mark.parametrize("retries", ["0", "1"])
def test_a_request_that_may_have_been_received_is_left_to_its_client(retries: str) -> None:
    trouble = Trouble(502, "tunnel-lost", "The request may have been received")
    request = post("/v1/messages", f"X-Stainless-Retry-Count: {retries}")

    headers = parsed(answer_to(request, trouble))[1]

    assert headers["x-should-retry"] is None
    assert headers["Retry-After"] is None


def test_a_first_attempt_is_let_repeat_and_a_repeated_one_told_to_stop() -> None:
    first = parsed(answer_to(post("/v1/messages", "X-Stainless-Retry-Count: 0")))[1]
    second = parsed(answer_to(post("/v1/messages", "x-stainless-retry-count: 1")))[1]

    assert first["x-should-retry"] is None
    assert second["x-should-retry"] == "false"


def test_what_only_a_person_can_help_is_not_repeated() -> None:
    headers = parsed(answer_to(post("/v1/messages"), replace(DOWN, may_retry=False)))[1]

    assert headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("asked", "told"), [(0, "1"), (-3, "1"), (4, "4"), (3600, "5")])
def test_retry_after_stays_within_what_a_client_can_wait(asked: int, told: str) -> None:
    raw = answer_to(post("/v1/models"), replace(DOWN, retry_after_s=asked))

    assert parsed(raw)[1]["Retry-After"] == told


@given(message=st.text(), remedy=st.text())
def test_any_sentence_makes_a_whole_response(message: str, remedy: str) -> None:
    raw = answer_to(post("/v1/models"), Trouble(503, "internal", message, remedy))

    _, _, body = parsed(raw)
    assert body["error"]["message"].startswith(f"llmgw: {message.strip()}".rstrip())
    assert body["error"]["message"].endswith(remedy.strip())


def test_a_sentence_without_a_full_stop_gets_one_before_its_remedy() -> None:
    raw = answer_to(post("/v1/models"), Trouble(503, "no-pods", "no pods", "kubectl get pods"))

    assert parsed(raw)[2]["error"]["message"] == "llmgw: no pods. Try: kubectl get pods"


@given(target=st.binary(), value=st.binary())
def test_no_head_raises(target: bytes, value: bytes) -> None:
    head = Head(b"POST " + target, ((b"x-stainless-retry-count", value),))

    assert parsed(error_answer(DOWN, target, head, is_head=False, closes=True))[0] == 503
