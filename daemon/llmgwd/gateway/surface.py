"""What LiteLLM's answers mean: its two error shapes, and its verdict on a key.

Pure. A verdict follows from `error.type` and, where the type is shared by several causes, from the
sentence; never from the status alone: a lost database is a 401, an expired key a 400 or a 401, an
exceeded budget a 400 or a 429, depending on the release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from llmgwd.gateway.answer import Answer


@dataclass(frozen=True, slots=True)
class GatewayError:
    """`kind` is LiteLLM's `error.type`, or empty where the shape has none."""

    status: int
    kind: str
    message: str


class KeyVerdict(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    BLOCKED = "blocked"
    BUDGET_EXCEEDED = "budget-exceeded"
    UNKNOWN = "unknown"


def error_of(answer: Answer) -> GatewayError:
    """Read `{"error": {…}}`, FastAPI's `{"detail": …}` in its three forms, or plain text."""
    body = answer.json
    if not isinstance(body, dict):
        text = answer.body[:200].decode("utf-8", "replace").strip()
        return GatewayError(answer.status, "", text)
    error = body.get("error", body.get("detail", ""))
    if isinstance(error, list):
        error = error[0] if error else ""
    if not isinstance(error, dict):
        return GatewayError(answer.status, "", str(error))
    kind = error.get("type")
    message = error.get("message", error.get("error", error.get("msg", "")))
    # LiteLLM writes a missing type as the string "None".
    kind = kind if isinstance(kind, str) and kind != "None" else ""
    return GatewayError(answer.status, kind, _sentence(message))


_BY_KIND: Final = {
    "token_not_found_in_db": KeyVerdict.REJECTED,
    # Not the master key, and no database that could know of another.
    "no_db_connection": KeyVerdict.REJECTED,
    "expired_key": KeyVerdict.EXPIRED,
    "budget_exceeded": KeyVerdict.BUDGET_EXCEEDED,
    # Known to the gateway, and good for other models.
    "key_model_access_denied": KeyVerdict.ACCEPTED,
}
_BY_SENTENCE: Final = (
    (re.compile(r"expected to start with 'sk-'"), KeyVerdict.REJECTED),
    (re.compile(r"Malformed API Key"), KeyVerdict.REJECTED),
    (re.compile(r"Key is blocked"), KeyVerdict.BLOCKED),
)
_MEANING: Final = {
    KeyVerdict.ACCEPTED: "The gateway accepts the key.",
    KeyVerdict.REJECTED: "The gateway does not know the key.",
    KeyVerdict.EXPIRED: "The key has expired.",
    KeyVerdict.BLOCKED: "The key is blocked on the gateway.",
    KeyVerdict.BUDGET_EXCEEDED: "The key is good, and its budget is used up.",
}


def judge_key(answer: Answer, key: str) -> tuple[KeyVerdict, str]:
    """Judge the answer to GET /v1/models sent with `key`; the sentence never holds the key."""
    if answer.status == 200:
        return KeyVerdict.ACCEPTED, _MEANING[KeyVerdict.ACCEPTED]
    error = error_of(answer)
    verdict = _BY_KIND.get(error.kind)
    for pattern, meant in _BY_SENTENCE:
        if verdict is None and pattern.search(error.message):
            verdict = meant
    if verdict is not None:
        return verdict, _MEANING[verdict]
    said = redacted(error.message, key) or "nothing more"
    return KeyVerdict.UNKNOWN, f"The gateway did not judge the key: {answer.status}, {said}"


_LOOKS_SECRET: Final = re.compile(r"\bsk-[\w.-]{4,}|\b[0-9a-f]{40,}\b|(?<=Bearer )\S+")


def redacted(text: str, key: str) -> str:
    """Take keys and their hashes out of a gateway's sentence; some of them echo the whole key."""
    if key:
        text = text.replace(key, "…")
    return _LOOKS_SECRET.sub("…", text)[:300]


def _sentence(message: Any) -> str:
    return message if isinstance(message, str) else str(message)
