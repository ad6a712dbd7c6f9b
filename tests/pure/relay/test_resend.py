"""What follows when a stream is gone, for every pair of what was sent and what had come."""

from __future__ import annotations

import pytest

from llmgwd.gateway.dialect import Dialect
from llmgwd.net.http1_heads import judge_request, parse_head
from llmgwd.relay.http.answer import Answer
from llmgwd.relay.http.kept_request import KeptRequest, ResendBudget
from llmgwd.relay.http.resend import Next, after_loss

NONE, PART = b"", b"HTTP/1.1 20"
INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


def next_of(
    first: str,
    came: bytes,
    *,
    is_unreceived: bool,
    was_repeated: bool = False,
    is_kept: bool = True,
) -> Next:
    head = parse_head(f"{first} HTTP/1.1\r\nHost: x".encode())
    request = KeptRequest(head, judge_request(head), ResendBudget())
    if not is_kept:
        request.forget()
    answer = Answer(
        request.line.method,
        Dialect.OPENAI,
        lambda head, _: head.raw(),
        passes_interim=True,
        may_upgrade=False,
    )
    if came:
        answer.feed(came)
    return after_loss(request, answer, is_unreceived=is_unreceived, was_repeated=was_repeated)


@pytest.mark.parametrize("was_repeated", [True, False])
@pytest.mark.parametrize("first", ["GET /", "POST /v1/messages", "GET /health", "DELETE /x"])
def test_what_no_one_received_is_sent_again_whatever_it_is(first: str, was_repeated: bool) -> None:
    assert next_of(first, NONE, is_unreceived=True, was_repeated=was_repeated) is Next.SEND_AGAIN


@pytest.mark.parametrize("came", [NONE, PART, INTERIM])
@pytest.mark.parametrize(
    ("first", "was_repeated", "then"),
    [
        ("GET /v1/models", False, Next.REPEAT_ONCE),
        ("HEAD /v1/models", False, Next.REPEAT_ONCE),
        ("OPTIONS /v1/models", False, Next.REPEAT_ONCE),
        ("GET /v1/models", True, Next.TELL_CLIENT),
        ("GET /health", False, Next.TELL_CLIENT),
        ("POST /v1/messages", False, Next.TELL_CLIENT),
        ("DELETE /x", False, Next.TELL_CLIENT),
    ],
)
def test_what_may_have_been_received_is_repeated_once_if_that_is_safe(
    first: str, was_repeated: bool, then: Next, came: bytes
) -> None:
    assert next_of(first, came, is_unreceived=False, was_repeated=was_repeated) is then


@pytest.mark.parametrize("came", [PART, INTERIM])
def test_a_byte_of_an_answer_proves_that_it_was_received(came: bytes) -> None:
    assert next_of("POST /v1/messages", came, is_unreceived=True) is Next.TELL_CLIENT


@pytest.mark.parametrize(
    ("is_unreceived", "then"), [(True, Next.HAVE_CLIENT_REPEAT), (False, Next.TELL_CLIENT)]
)
@pytest.mark.parametrize("first", ["GET /", "POST /v1/messages"])
def test_what_is_not_kept_whole_is_never_sent_again(
    first: str, is_unreceived: bool, then: Next
) -> None:
    assert next_of(first, NONE, is_unreceived=is_unreceived, is_kept=False) is then
