"""The answer a client gets when nothing can carry its connection: 503 in its own dialect.

Pure: bytes in, bytes out. Whatever is not recognisably an HTTP/1.x request gets no answer, because
plain text in the middle of a TLS handshake or a database protocol says nothing to anybody.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

# A method is a token of capitals in practice. The version must be ours to answer; a request line
# that has not all arrived yet is taken for HTTP when the method is one that clients really send.
_REQUEST: Final = re.compile(rb"(?:\r\n)*([A-Z]{3,16}) (\S+) HTTP/1\.\d\r?\n")
_PARTIAL: Final = re.compile(
    rb"(?:\r\n)*(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S*)(?: [HTP/1.]{0,8})?\r?\Z"
)
_RETRIES: Final = re.compile(rb"\nx-stainless-retry-count:[ \t]*(\d{1,4})", re.IGNORECASE)
_ANTHROPIC_HEADER: Final = re.compile(rb"\nanthropic-version:", re.IGNORECASE)
_ANTHROPIC_PATH: Final = re.compile(r"/(?:v1/messages|anthropic)(?:[/?]|\Z)")

# The SDKs sleep as long as they are told, some of them without a cap of their own. The attempt that
# follows is held and goes on the moment there is a way, so there is nothing to be slept for longer.
MAX_RETRY_AFTER_S: Final = 5


def refusal(
    first_bytes: bytes,
    code: str,
    message: str,
    remedy: str,
    retry_after_s: int,
    *,
    needs_person: bool = False,
) -> bytes | None:
    """Give a complete HTTP/1.1 response, or None when the client does not speak HTTP/1.x.

    `first_bytes` is what the client sent so far; the head may be cut anywhere.

    The SDKs of Anthropic and OpenAI repeat a 503 twice by themselves, and each attempt may be held
    again. A first attempt is let repeat, which carries a short outage; a repeated one, or one that
    only a person can help (`needs_person`), is told to stop by `x-should-retry: false`, so that
    the sentence is seen after two holds at most.
    """
    request = _REQUEST.match(first_bytes) or _PARTIAL.match(first_bytes)
    if request is None:
        return None
    method, path = request[1], request[2].decode("latin-1")
    head = first_bytes.partition(b"\r\n\r\n")[0]
    sentence = _sentence(message, remedy)
    body = json.dumps(_body(_is_anthropic(path, head), code, sentence)).encode()
    retry_after_s = min(max(1, retry_after_s), MAX_RETRY_AFTER_S)
    headers = [
        "HTTP/1.1 503 Service Unavailable",
        "Server: llmgw",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        f"Retry-After: {retry_after_s}",
        "Connection: close",
    ]
    if needs_person or _retries(head) > 0:
        headers.append("x-should-retry: false")
    answer = "\r\n".join([*headers, "", ""]).encode("ascii")
    return answer if method == b"HEAD" else answer + body


def _sentence(message: str, remedy: str) -> str:
    """One line for an error of the SDK, which does not say who between it and the model spoke."""
    message = message.strip()
    stop = "" if message.endswith((".", "!", "?")) else "."
    return f"llmgw: {message}{stop} {remedy.strip()}".rstrip()


def _is_anthropic(path: str, head: bytes) -> bool:
    return bool(_ANTHROPIC_PATH.search(path) or _ANTHROPIC_HEADER.search(head))


def _retries(head: bytes) -> int:
    """How many times the client has already repeated this request, by its own count."""
    found = _RETRIES.search(head)
    return int(found[1]) if found else 0


def _body(is_anthropic: bool, code: str, sentence: str) -> dict[str, Any]:
    """Word the error as the provider would.

    Never `overloaded_error`: clients read it as the model's provider being busy, change to another
    model and show a sentence of their own instead of ours.
    """
    if is_anthropic:
        return {"type": "error", "error": {"type": "api_error", "message": sentence}}
    return {
        "error": {"message": sentence, "type": "server_error", "param": None, "code": code},
    }
