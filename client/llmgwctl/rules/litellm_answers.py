"""What LiteLLM's answers mean: its error bodies, and what they prove about a key.

Pure; both sides judge by it. A verdict follows from `error.type` and, where several causes share a
type, from the message; never from the status alone: a rejected key is a 400 without a database and
a 401 with one, a used-up budget is a 400 or a 429 by release, and a gateway that has lost its
database answers 401 as well. The bodies are those of LiteLLM 1.80 and 1.104.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import NamedTuple

from llmgwctl.rules.secrets import blank_out

# A traceback or a page of HTML may follow; a person can use a line.
_MESSAGE_LIMIT = 300


class Fault(NamedTuple):
    """What an error body says; `kind` is LiteLLM's `error.type`, empty where there is none."""

    kind: str
    message: str


class KeyVerdict(StrEnum):
    """What an answer proves about the key it was asked with."""

    ACCEPTED = "accepted"
    LIMITED = "limited"  # the gateway knows the key, and does not allow this now
    REJECTED = "rejected"  # this key will not be accepted: another one is needed
    UNKNOWN = "unknown"  # the answer proves nothing


class Judgement(NamedTuple):
    verdict: KeyVerdict
    sentence: str
    remedy: str = ""


_MASTER = "give the gateway's master key as the key in the configuration: llmgwctl config path"
_REPLACE = "make a new key (llmgwctl open), and put it where the configuration takes it from"

# By the end of error.type (key_, team_ and user_model_access_denied are one), then by what the
# message must hold ("" is any). The first that fits counts.
_JUDGEMENTS: tuple[tuple[str, str, Judgement], ...] = (
    (
        "no_db_connection",
        "",
        Judgement(
            KeyVerdict.REJECTED,
            "the gateway has no database, so it knows its master key alone, and this is not it",
            _MASTER,
        ),
    ),
    (
        "token_not_found_in_db",
        "",
        Judgement(KeyVerdict.REJECTED, "the gateway does not know this key", _REPLACE),
    ),
    ("expired_key", "", Judgement(KeyVerdict.REJECTED, "the key has expired", _REPLACE)),
    (
        "auth_error",
        "expected to start with 'sk-'",
        Judgement(
            KeyVerdict.REJECTED,
            "the key is not one of LiteLLM's: those start with sk-",
            _REPLACE,
        ),
    ),
    (
        "auth_error",
        "Malformed API Key",
        Judgement(
            KeyVerdict.REJECTED,
            "the gateway cannot read the key: it is malformed",
            "the source must give the key alone, on one line",
        ),
    ),
    (
        "auth_error",
        "Key is blocked",
        Judgement(
            KeyVerdict.REJECTED,
            "the key is blocked",
            "an admin can unblock it: POST /key/unblock, or llmgwctl open",
        ),
    ),
    (
        "auth_error",
        "No api key passed in",
        Judgement(
            KeyVerdict.UNKNOWN,
            "the gateway saw no key: it may read it from another header (litellm_key_header_name)",
        ),
    ),
    (
        "auth_error",
        "connection attempts failed",
        Judgement(
            KeyVerdict.UNKNOWN, "the gateway cannot reach its database, so it cannot judge the key"
        ),
    ),
    (
        "budget_exceeded",
        "",
        Judgement(
            KeyVerdict.LIMITED,
            "the gateway knows the key, and its budget is used up",
            "llmgwctl usage shows when it is reset",
        ),
    ),
    (
        "_access_denied",
        "",
        Judgement(
            KeyVerdict.LIMITED,
            "the gateway knows the key, and does not let it use this model",
            "llmgwctl models lists those it may use",
        ),
    ),
)


def judge_key(status: int, body: object, key: str = "") -> Judgement:
    """Say what an answer proves about the key, which is taken out of the sentence.

    Best asked with GET /v1/models: it is free, and needs a key in every release.
    """
    if status == 200:
        return Judgement(KeyVerdict.ACCEPTED, "the gateway accepts the key")
    fault = fault_of(body)
    for kind, part, judgement in _JUDGEMENTS:
        if fault.kind.endswith(kind) and part in fault.message:
            return judgement
    if status == 429:
        return Judgement(
            KeyVerdict.LIMITED, "the gateway knows the key, and its rate limit is used up"
        )
    said = f": {blank_out(fault.message, [key])}" if fault.message else ""
    return Judgement(KeyVerdict.UNKNOWN, f"the gateway answered {status}{said}")


def fault_of(body: object) -> Fault:
    """Read an error body; what is none gives empty words.

    LiteLLM has `{"error": {"message", "type"}}`, FastAPI has `{"detail": …}` as text, as an object
    with `error`, or as a list of objects with `msg`; a proxy in front of both has text.
    """
    if isinstance(body, str):
        return Fault("", _one_line(body))
    if not isinstance(body, dict):
        return Fault("", "")
    error = body.get("error", body.get("detail"))
    if isinstance(error, list):
        error = error[0] if error else None
    if not isinstance(error, dict):
        return Fault("", _one_line(error))
    kind = error.get("type")
    message = error.get("message", error.get("error", error.get("msg", "")))
    # LiteLLM writes a missing type as the string "None".
    is_named = isinstance(kind, str) and kind != "None"
    return Fault(str(kind) if is_named else "", _one_line(message))


def has_no_database(body: object) -> bool:
    """Recognise the many wordings in which a gateway reports that it keeps no record."""
    message = fault_of(body).message.lower()
    return bool(re.search(r"(database|db) not connected|no db connected|prisma client", message))


def _one_line(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return text.strip().partition("\n")[0].strip()[:_MESSAGE_LIMIT]
