"""What LiteLLM's answers prove: bodies as two versions of it give them."""

from __future__ import annotations

from typing import Any

import pytest

from llmgwctl.rules.litellm_answers import (
    Fault,
    Verdict,
    fault_of,
    has_no_database,
    judge_key,
    redact,
)
from llmgwctl.rules.nearest import nearest


def error(kind: str, message: str, code: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": "key", "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, {"data": [], "object": "list"}, Verdict.ACCEPTED),
        (400, error("no_db_connection", "No connected db.", "400"), Verdict.REJECTED),
        (
            401,
            error("token_not_found_in_db", "Authentication Error, Invalid proxy …", "401"),
            Verdict.REJECTED,
        ),
        (
            401,
            error("auth_error", "… Received=nope, expected to start with 'sk-'.", "401"),
            Verdict.REJECTED,
        ),
        (400, error("expired_key", "Authentication Error - Expired Key.", "400"), Verdict.REJECTED),
        (401, error("expired_key", "Authentication Error - Expired Key.", "401"), Verdict.REJECTED),
        (
            401,
            error("auth_error", "Authentication Error, Key is blocked. Update via", "401"),
            Verdict.REJECTED,
        ),
        (400, error("budget_exceeded", "Budget has been exceeded!", "400"), Verdict.LIMITED),
        (429, error("budget_exceeded", "Budget has been exceeded!", "429"), Verdict.LIMITED),
        (401, error("key_model_access_denied", "key not allowed …", "401"), Verdict.LIMITED),
        (429, {"error": {"message": "Rate limit", "type": "None", "code": "429"}}, Verdict.LIMITED),
        (
            401,
            error("auth_error", "Authentication Error, All connection attempts failed", "401"),
            Verdict.UNKNOWN,
        ),
        (500, "Internal Server Error", Verdict.UNKNOWN),
        (503, {"detail": "Service Unavailable"}, Verdict.UNKNOWN),
        (401, None, Verdict.UNKNOWN),
    ],
)
def test_a_key_is_judged_by_the_kind_of_error(status: int, body: Any, verdict: Verdict) -> None:
    assert judge_key(status, body).verdict is verdict


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (error("a", "first line\n\nTraceback …", "500"), Fault("a", "first line")),
        ({"detail": "Not Found"}, Fault("", "Not Found")),
        ({"detail": {"error": "DB not connected. See …"}}, Fault("", "DB not connected. See …")),
        ({"detail": [{"loc": ["x"]}]}, Fault("", '[{"loc": ["x"]}]')),
        ({"error": {"message": None, "type": None}}, Fault("", "")),
        ("Internal Server Error", Fault("", "Internal Server Error")),
        ([1], Fault("", "")),
        (None, Fault("", "")),
    ],
)
def test_both_shapes_of_error_are_read(body: Any, fault: Fault) -> None:
    assert fault_of(body) == fault


@pytest.mark.parametrize(
    "body",
    [
        error("internal_server_error", "Internal Server Error, Database not connected. …", "500"),
        {"detail": {"error": "DB not connected. See https://docs.litellm.ai/…"}},
        {"detail": {"error": "No db connected"}},
        error("internal_error", "Prisma Client is not initialized", "401"),
    ],
)
def test_a_gateway_without_a_database_says_so_in_many_words(body: Any) -> None:
    assert has_no_database(body)


def test_other_errors_are_no_missing_database() -> None:
    assert not has_no_database(error("not_found_error", "Key not found in database", "404"))


def test_a_key_never_comes_back_out_of_a_gateways_words() -> None:
    text = redact("Received=hunter22 and sk-abcdef12 but sk-...abcd", "hunter22")

    assert text == "Received=[key] and [key] but sk-...abcd"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Claude-Sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("claude-sonnet", "anthropic/claude-sonnet-4-5"),
        ("gpt4o", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
    ],
)
def test_the_model_that_was_meant_is_offered_first(name: str, first: str) -> None:
    known = ["gpt-4o", "gpt-4o-mini", "anthropic/claude-sonnet-4-5", "claude-haiku-4-5"]

    assert nearest(name, known)[0] == first


def test_what_is_like_nothing_known_offers_nothing() -> None:
    assert nearest("zzz", ["gpt-4o", "claude"]) == []
