"""The words in which a client expects an error: Anthropic's, OpenAI's or Gemini's. Pure.

The dialect is read off the request: its path first, then the headers that only one SDK sends.
"""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from llmgwd.net.http1_heads import Head

_ANTHROPIC_PATH: Final = re.compile(rb"/(?:v1/messages|anthropic)(?:[/?]|\Z)")
_GEMINI_PATH: Final = re.compile(rb"/(?:v1|v1beta|gemini)[^?]*:(?:stream)?[gG]enerateContent")
_RESPONSES_PATH: Final = re.compile(rb"/responses(?:[/?]|\Z)")

# Google's names for HTTP statuses (google.rpc.Code).
_GOOGLE_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    408: "DEADLINE_EXCEEDED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
}


class Dialect(Enum):
    ANTHROPIC = auto()
    OPENAI = auto()
    OPENAI_RESPONSES = auto()
    GEMINI = auto()


def dialect_of(target: bytes, head: Head | None) -> Dialect:
    """Tell the dialect by a request's target and, where that says nothing, by its head."""
    if _ANTHROPIC_PATH.search(target):
        return Dialect.ANTHROPIC
    if _GEMINI_PATH.search(target):
        return Dialect.GEMINI
    if _RESPONSES_PATH.search(target):
        return Dialect.OPENAI_RESPONSES
    if head is not None and head.first_of(b"anthropic-version") is not None:
        return Dialect.ANTHROPIC
    return Dialect.OPENAI


def error_body(dialect: Dialect, status: int, code: str, sentence: str) -> bytes:
    """Give the JSON body of an error answer."""
    return json.dumps(_error(dialect, status, code, sentence)).encode()


def error_event(dialect: Dialect, status: int, code: str, sentence: str) -> bytes:
    """Give the event that ends a stream of events with an error, as the provider would send it.

    The SDKs raise their own error class with the sentence when they meet it: Anthropic's for
    `event: error`, OpenAI's for data that has an `error`.
    """
    error = _error(dialect, status, code, sentence)
    if dialect is Dialect.OPENAI_RESPONSES:
        # The API's own event has the words at its top; the SDK looks for an `error` in it.
        error = {"type": "error", "code": code, "message": sentence, "param": None, **error}
    name = "event: error\n" if dialect in _NAMED_EVENTS else ""
    return f"{name}data: {json.dumps(error)}\n\n".encode()


_NAMED_EVENTS: Final = (Dialect.ANTHROPIC, Dialect.OPENAI_RESPONSES)


def _error(dialect: Dialect, status: int, code: str, sentence: str) -> dict[str, Any]:
    """Word the error as the provider would.

    Never `overloaded_error`: clients read it as the model's provider being busy, change to another
    model and show a sentence of their own instead of ours.
    """
    is_clients = status < 500
    if dialect is Dialect.ANTHROPIC:
        kind = "invalid_request_error" if is_clients else "api_error"
        return {"type": "error", "error": {"type": kind, "message": sentence}}
    if dialect is Dialect.GEMINI:
        google = _GOOGLE_STATUSES.get(status, "UNKNOWN")
        return {"error": {"code": status, "message": sentence, "status": google}}
    kind = "invalid_request_error" if is_clients else "server_error"
    return {"error": {"message": sentence, "type": kind, "param": None, "code": code}}
