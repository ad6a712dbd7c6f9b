"""What LiteLLM's answers mean: its error shapes, and its word on a key.

Pure, and judged by `error.type`, never by the status alone: a rejected key is 400 without a
database and 401 with one, a budget is 400 or 429 by version, and a 401 is also what a gateway says
whose own database is away (seen on 1.80, read in 1.104).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Fault:
    """An error body in one shape: LiteLLM's `error` object or FastAPI's `detail`."""

    kind: str
    message: str


class Verdict(StrEnum):
    """On a key. `limited`: known, but held back; `unknown`: the answer proves nothing."""

    ACCEPTED = "accepted"
    LIMITED = "limited"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    sentence: str
    remedy: str = ""


_MASTER = "give the gateway's master key as the key in the configuration: llmgwctl config path"
_REPLACE = "make a new key (llmgwctl open), put it where the configuration takes it from"

# By error.type, then by what the message must hold ("" is any). The first that fits counts.
_JUDGEMENTS: tuple[tuple[str, str, Judgement], ...] = (
    (
        "no_db_connection",
        "",
        Judgement(
            Verdict.REJECTED,
            "the gateway has no database, so it knows its master key alone, and this is not it",
            _MASTER,
        ),
    ),
    (
        "token_not_found_in_db",
        "",
        Judgement(Verdict.REJECTED, "the gateway does not know this key", _REPLACE),
    ),
    (
        "expired_key",
        "",
        Judgement(Verdict.REJECTED, "the key has expired", _REPLACE),
    ),
    (
        "auth_error",
        "expected to start with 'sk-'",
        Judgement(
            Verdict.REJECTED,
            "the key is not one of LiteLLM's: those start with sk-",
            _REPLACE,
        ),
    ),
    (
        "auth_error",
        "Key is blocked",
        Judgement(
            Verdict.REJECTED,
            "the key is blocked",
            "an admin can unblock it: POST /key/unblock, or llmgwctl open",
        ),
    ),
    (
        "auth_error",
        "No api key passed in",
        Judgement(
            Verdict.UNKNOWN,
            "the gateway saw no key: it may read it from another header (litellm_key_header_name)",
            "",
        ),
    ),
    (
        "budget_exceeded",
        "",
        Judgement(
            Verdict.LIMITED,
            "the gateway knows the key, and its budget is used up",
            "llmgwctl usage shows when it is reset",
        ),
    ),
    (
        "key_model_access_denied",
        "",
        Judgement(
            Verdict.LIMITED,
            "the gateway knows the key, and does not let it use this model",
            "llmgwctl models lists those it may use",
        ),
    ),
    (
        "auth_error",
        "connection attempts failed",
        Judgement(
            Verdict.UNKNOWN,
            "the gateway cannot reach its database, so it cannot tell",
            "",
        ),
    ),
)


def judge_key(status: int, body: object) -> Judgement:
    """Say what an answer to GET /v1/models proves about the key it was asked with."""
    if status == 200:
        return Judgement(Verdict.ACCEPTED, "the gateway accepts the key")
    fault = fault_of(body)
    for kind, part, judgement in _JUDGEMENTS:
        if fault.kind == kind and part in fault.message:
            return judgement
    if status == 429:
        return Judgement(
            Verdict.LIMITED, "the gateway knows the key, and its rate limit is used up"
        )
    said = f": {fault.message}" if fault.message else ""
    return Judgement(Verdict.UNKNOWN, f"the gateway answered {status}{said}")


def fault_of(body: object) -> Fault:
    """Read an error body of either shape; what has neither gives empty words."""
    if isinstance(body, str):
        return Fault("", _one_line(body))
    if not isinstance(body, dict):
        return Fault("", "")
    error = body.get("error", body.get("detail"))
    if isinstance(error, dict):
        kind, message = error.get("type"), error.get("message", error.get("error", ""))
        return Fault(kind if isinstance(kind, str) else "", _one_line(message))
    return Fault("", _one_line(error))


def has_no_database(body: object) -> bool:
    """Tell the many words in which a gateway says that it keeps no record."""
    message = fault_of(body).message.lower()
    return bool(re.search(r"(database|db) not connected|no db connected|prisma client", message))


def redact(text: str, key: str | None) -> str:
    """Take a key out of a gateway's words: it echoes bad ones whole, and expired ones too."""
    if key:
        text = text.replace(key, "[key]")
    return re.sub(r"\bsk-[\w-]{5,}", "[key]", text)


def _one_line(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    # LiteLLM puts tracebacks into messages; the first line is what a person can use.
    return text.strip().partition("\n")[0].strip()
