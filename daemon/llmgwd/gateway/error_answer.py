"""The answers that llmgwd itself gives on an HTTP connection, in the client's dialect. Pure.

503 where nothing can carry a request, 502 where it was lost on the way, 4xx where the request is
none that could be passed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llmgwd.gateway.dialect import dialect_of, error_body

if TYPE_CHECKING:
    from llmgwd.net.http1_heads import Head

OWN_SERVER: Final = "llmgw"
# The SDKs sleep as long as they are told, some of them without a cap of their own. The attempt that
# follows is held and goes on the moment there is a route, so sleeping longer helps no one.
MAX_RETRY_AFTER_S: Final = 5

_REASONS: Final = {
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why llmgwd answers itself. `retry_after_s` None: the client is not asked to come again.

    `may_retry` False asks the SDKs not to repeat the request by themselves.
    """

    status: int
    code: str
    message: str
    remedy: str = ""
    retry_after_s: int | None = None
    may_retry: bool = True

    @property
    def sentence(self) -> str:
        """One line for an error of the SDK, which does not say who before the model spoke."""
        message = self.message.strip()
        stop = "" if message.endswith((".", "!", "?")) else "."
        remedy = self.remedy.strip()
        # A command, and no sentence.
        leading = "Try: " if remedy[:1].islower() else ""
        return f"llmgw: {message}{stop} {leading}{remedy}".rstrip()


def error_answer(
    trouble: Trouble, target: bytes, head: Head | None, *, is_head: bool, closes: bool
) -> bytes:
    """Give a complete HTTP/1.1 answer to the request with this target and (if known) head.

    The SDKs of Anthropic and OpenAI repeat a 503 twice by themselves, and each attempt may be held
    again. A first attempt may be repeated, which carries a short outage; a repeated one is told to
    stop by `x-should-retry: false`, so that the sentence is seen after two holds at most. A 502
    is never told so: the client decides whether a request that may have been received goes again.
    """
    body = error_body(dialect_of(target, head), trouble.status, trouble.code, trouble.sentence)
    lines = [
        f"HTTP/1.1 {trouble.status} {_REASONS[trouble.status]}",
        f"Server: {OWN_SERVER}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
    ]
    if trouble.retry_after_s is not None:
        lines.append(f"Retry-After: {min(max(1, trouble.retry_after_s), MAX_RETRY_AFTER_S)}")
    if closes:
        lines.append("Connection: close")
    if not trouble.may_retry or (trouble.status == 503 and _retries(head) > 0):
        lines.append("x-should-retry: false")
    answer = "\r\n".join([*lines, "", ""]).encode("ascii")
    return answer if is_head else answer + body


def _retries(head: Head | None) -> int:
    """How many times the client has already repeated this request, by its own count."""
    count = head.first_of(b"x-stainless-retry-count") if head is not None else None
    return int(count) if count is not None and count.isdigit() and len(count) <= 4 else 0
