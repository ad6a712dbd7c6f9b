"""What LiteLLM's answers prove: the bodies of two of its releases, and of what stands before it."""

from __future__ import annotations

from typing import Any

import pytest

from llmgwctl.rules.litellm_answers import (
    Fault,
    KeyVerdict,
    fault_of,
    has_no_database,
    judge_key,
)

ACCEPTED, LIMITED = KeyVerdict.ACCEPTED, KeyVerdict.LIMITED
REJECTED, UNKNOWN = KeyVerdict.REJECTED, KeyVerdict.UNKNOWN
NO_KEY = "Authentication Error, No api key passed in."
NOT_FOUND = (
    "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...abcd, Key "
    "Hash (Token) =24a6d1f02b6c7d324. Unable to find token in cache or `LiteLLM_VerificationToken"
    "Table`"
)
NOT_LITELLMS = (
    "Authentication Error, LiteLLM Virtual Key expected. Received=nope, expected to start with "
    "'sk-'."
)
MALFORMED = "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix."
LOST_DATABASE = "Authentication Error, All connection attempts failed"
BLOCKED = "Authentication Error, Key is blocked. Update via `/key/unblock` if you're admin."
EXPIRED = "Authentication Error - Expired Key. Key Expiry time 2026-11-01 and current time 2026-11"
BUDGET = "Budget has been exceeded! Current cost: 12.5, Max budget: 10.0"
ACCESS = (
    "key not allowed to access model. This key can only access models=['mock-gpt']. Tried to "
    "access up-claude"
)
NO_ADMIN = (
    "Authentication Error, Only proxy admin can be used to generate, delete, update info for new "
    "keys/users/teams. Route=/user/daily/activity/aggregated. Your role=unknown"
)
NO_MODEL = "{'error': '/chat/completions: Invalid model name passed in model=nope.'}"
NO_DATABASE = "Internal Server Error, Database not connected. Connect a database to your proxy"


def error(kind: str, message: str, code: int) -> Any:
    return {"error": {"message": message, "type": kind, "param": "key", "code": str(code)}}


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, {"data": [], "object": "list"}, ACCEPTED),
        # The key is not one that the gateway will accept.
        (400, error("no_db_connection", "No connected db.", 400), REJECTED),
        (401, error("token_not_found_in_db", NOT_FOUND, 401), REJECTED),
        (401, error("auth_error", NOT_LITELLMS, 401), REJECTED),
        (401, error("auth_error", MALFORMED, 401), REJECTED),
        (401, error("auth_error", BLOCKED, 401), REJECTED),
        (400, error("expired_key", EXPIRED, 400), REJECTED),
        (401, error("expired_key", EXPIRED, 401), REJECTED),
        # The gateway knows the key.
        (400, error("budget_exceeded", BUDGET, 400), LIMITED),
        (429, error("budget_exceeded", BUDGET, 429), LIMITED),
        (401, error("key_model_access_denied", ACCESS, 401), LIMITED),
        (403, error("team_model_access_denied", ACCESS, 403), LIMITED),
        (429, error("None", "Rate limit exceeded", 429), LIMITED),
        # The answer proves nothing about the key.
        (401, error("auth_error", NO_KEY, 401), UNKNOWN),
        (401, error("auth_error", LOST_DATABASE, 401), UNKNOWN),
        (401, error("auth_error", NO_ADMIN, 401), UNKNOWN),
        (401, error("internal_error", "Prisma Client is not initialized", 401), UNKNOWN),
        (400, error("None", NO_MODEL, 400), UNKNOWN),
        (400, error("invalid_request_error", "Invalid JSON payload", 400), UNKNOWN),
        (404, error("not_found_error", "Key not found in database", 404), UNKNOWN),
        (500, error("internal_server_error", NO_DATABASE, 500), UNKNOWN),
        (500, {"detail": {"error": "DB not connected. See https://docs.litellm.ai"}}, UNKNOWN),
        (400, {"detail": {"error": "Database not connected."}}, UNKNOWN),
        (404, {"detail": "Not Found"}, UNKNOWN),
        (503, {"detail": "Service Unhealthy (All connection attempts failed)"}, UNKNOWN),
        (503, {"status": "shutting_down"}, UNKNOWN),
        (500, "Internal Server Error", UNKNOWN),
        (502, "<html>Bad Gateway", UNKNOWN),
        (529, "", UNKNOWN),
        (401, None, UNKNOWN),
    ],
)
def test_a_key_is_judged_by_the_kind_of_error_not_by_its_status(
    status: int, body: Any, verdict: KeyVerdict
) -> None:
    judgement = judge_key(status, body)

    assert judgement.verdict is verdict
    assert judgement.sentence
    assert bool(judgement.remedy) or verdict is not REJECTED


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (error("a", "first line\n\nTraceback …", 500), Fault("a", "first line")),
        (error("None", "m", 400), Fault("", "m")),
        ({"error": "m"}, Fault("", "m")),
        ({"detail": "Not Found"}, Fault("", "Not Found")),
        ({"detail": {"error": "DB not connected. See …"}}, Fault("", "DB not connected. See …")),
        (
            {"detail": [{"loc": ["body"], "msg": "Field required", "type": "missing"}]},
            Fault("missing", "Field required"),
        ),
        ({"detail": []}, Fault("", "")),
        ({"error": {"message": None, "type": None}}, Fault("", "")),
        ({"error": {"message": {"a": 1}, "type": 7}}, Fault("", '{"a": 1}')),
        ("Internal Server Error", Fault("", "Internal Server Error")),
        ([1], Fault("", "")),
        (None, Fault("", "")),
    ],
)
def test_each_shape_of_an_error_body_is_read(body: Any, fault: Fault) -> None:
    assert fault_of(body) == fault


@pytest.mark.parametrize(
    "body",
    [
        error("internal_server_error", NO_DATABASE, 500),
        error("auth_error", "Authentication Error, Database not connected. …", 500),
        {"detail": {"error": "DB not connected. See https://docs.litellm.ai/…"}},
        {"detail": {"error": "No db connected"}},
        error("internal_error", "/spend/logs ErrorDatabase not connected. …", 500),
        error("None", "{'error': 'No db connected'}", 500),
        error("internal_error", "Prisma Client is not initialized", 401),
    ],
)
def test_a_gateway_without_a_database_says_so_in_many_words(body: Any) -> None:
    assert has_no_database(body)


def test_other_errors_are_no_missing_database() -> None:
    assert not has_no_database(error("not_found_error", "Key not found in database", 404))


def test_the_sentence_of_a_judgement_holds_no_key() -> None:
    for echo in ("Received=nope, sorry", NOT_FOUND, "Authorization: Bearer abc.def"):
        sentence = judge_key(401, error("auth_error", echo, 401), "nope").sentence

        assert not [part for part in ("nope", "abcd", "24a6", "abc.def") if part in sentence]
