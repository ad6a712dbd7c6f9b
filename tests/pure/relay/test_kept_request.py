"""What is kept of a request for sending it again, and whether it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from llmgwd.net.http1_heads import Head, RequestLine, forwarded_request, judge_request, parse_head
from llmgwd.relay.http.kept_request import RESEND_BYTES, KeptRequest, ResendBudget, origin_form

if TYPE_CHECKING:
    from llmgwd.relay.route import Route


class Way:
    """As much of a route as words a head."""

    def request_head(self, head: Head, line: RequestLine) -> Head:
        return forwarded_request(head, line, line.target)


WAY = cast("Route", Way())


def request(
    first: str = "POST /v1/messages HTTP/1.1", budget: ResendBudget | None = None
) -> KeptRequest:
    head = parse_head(f"{first}\r\nHost: x\r\nConnection: keep-alive".encode())
    return KeptRequest(head, judge_request(head), budget or ResendBudget())


def left(budget: ResendBudget) -> int:
    """How much it still gives, found by asking."""
    low, high = 0, 1 << 31
    while low < high:
        middle = (low + high + 1) // 2
        if budget.take(middle):
            budget.give_back(middle)
            low = middle
        else:
            high = middle - 1
    return low


@pytest.mark.parametrize(
    ("first", "is_safe"),
    [
        ("GET /v1/models HTTP/1.1", True),
        ("HEAD / HTTP/1.1", True),
        ("OPTIONS * HTTP/1.1", True),
        ("POST /v1/messages HTTP/1.1", False),
        ("DELETE /x HTTP/1.1", False),
        ("PUT /x HTTP/1.1", False),
        ("GET /health HTTP/1.1", False),
        ("GET /health/ HTTP/1.1", False),
        ("GET /health?model=x HTTP/1.1", False),
        ("GET http://localhost:4000/health?x HTTP/1.1", False),
        ("GET /health/liveliness HTTP/1.1", True),
        ("GET /healthy HTTP/1.1", True),
    ],
)
def test_a_safe_method_is_repeated_but_nothing_that_costs_money(first: str, is_safe: bool) -> None:
    assert request(first).is_safe is is_safe


def test_head_and_body_are_given_in_one_piece_as_they_came() -> None:
    kept = request()
    kept.add_unsent(b"ab")
    kept.add(b"cd")

    assert kept.bytes_for(WAY) == (
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nabcd"
    )


def test_a_body_above_its_limit_is_let_go_and_gives_back_what_it_took() -> None:
    budget = ResendBudget(4 * RESEND_BYTES)
    kept = request(budget=budget)
    kept.add(bytes(RESEND_BYTES))
    assert (kept.can_be_sent, left(budget)) == (True, 3 * RESEND_BYTES)

    kept.add(b"x")

    assert (kept.can_be_sent, kept.kept_bytes, left(budget)) == (False, 0, 4 * RESEND_BYTES)


def test_what_all_requests_keep_together_is_bounded() -> None:
    budget = ResendBudget(10)
    first, second = request(budget=budget), request(budget=budget)
    first.add(bytes(6))
    second.add(bytes(5))
    assert (first.can_be_sent, second.can_be_sent) == (True, False)

    first.forget()

    third = request(budget=budget)
    third.add(bytes(10))
    assert third.can_be_sent


def test_bytes_that_exist_once_only_are_kept_above_any_limit_and_others_get_less() -> None:
    budget = ResendBudget(10)
    waiting, other = request(budget=budget), request(budget=budget)
    waiting.add_unsent(bytes(12))
    other.add(b"x")

    assert waiting.bytes_for(WAY).endswith(b"\r\n\r\n" + bytes(12))
    assert not other.can_be_sent
    waiting.forget()
    assert left(budget) == 10


def test_to_forget_twice_gives_back_once() -> None:
    budget = ResendBudget(10)
    kept = request(budget=budget)
    kept.add(bytes(4))

    kept.forget()
    kept.forget()
    kept.add(bytes(4))

    assert (kept.can_be_sent, left(budget)) == (False, 10)


@pytest.mark.parametrize(
    ("target", "form"),
    [
        (b"/v1/models?x=http://y", b"/v1/models?x=http://y"),
        (b"http://localhost:4000/v1/models?x=1", b"/v1/models?x=1"),
        (b"HTTPS://localhost", b"/"),
        (b"http://localhost?x=1", b"/?x=1"),
        (b"http://localhost?x=/y", b"/?x=/y"),
        (b"*", b"*"),
        (b"ftp://x/y", b"ftp://x/y"),
    ],
)
def test_an_absolute_form_is_taken_for_its_path(target: bytes, form: bytes) -> None:
    assert origin_form(target) == form
