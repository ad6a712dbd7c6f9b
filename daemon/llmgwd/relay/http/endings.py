"""The words and bytes in which an exchange ends, where the gateway's own do not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.rules.printable import clean
from llmgwctl.wire import ConditionKind
from llmgwd.errors import Transient
from llmgwd.gateway.dialect import Dialect, error_event
from llmgwd.gateway.error_answer import Trouble, error_answer
from llmgwd.net.http1_heads import Head
from llmgwd.telemetry.redaction import redact

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.net.http1_heads import RequestLine
    from llmgwd.relay.http.kept_request import KeptRequest


def broken(pod: str | None, url: str | None, how: str) -> Transient:
    """Word the end of a stream that says nothing of itself."""
    where = f"pod {pod}" if pod else url or "the gateway"
    code = ConditionKind.URL_UNREACHABLE if url else ConditionKind.TUNNEL_LOST
    return Transient(code, f"The connection to {where} broke off: {how}.")


def answer_of_ours(request: KeptRequest, trouble: Trouble, *, closes: bool) -> bytes:
    """Answer a request ourselves, in its client's dialect."""
    line = request.line
    is_head = line.method == b"HEAD"
    return error_answer(trouble, line.target, request.head, is_head=is_head, closes=closes)


def no_key(error: LlmgwError) -> Trouble:
    """Word why there is no key to put in place of the placeholder."""
    return Trouble(
        503, error.code, redact(clean(error.public)), redact(clean(error.remedy)), retry_after_s=5
    )


def lost(cause: LlmgwError) -> Trouble:
    """Word the end of a stream before its answer: the client decides whether to ask again."""
    message = f"{_sentence(cause.message)} The request may have been received"
    remedy = "It was not sent again; repeat it if that does no harm."
    return Trouble(502, cause.code, message, remedy)


def not_kept(cause: LlmgwError) -> Trouble:
    """Word the end of a stream on which nothing was received, of a request too large to keep."""
    message = f"{_sentence(cause.message)} The request was not received, and is too large to be"
    return Trouble(503, cause.code, f"{message} sent again by llmgw", "Repeat it.", retry_after_s=1)


def last_event(dialect: Dialect, cause: LlmgwError) -> bytes:
    """Give the event that says that the rest is lost, and the end of the chunks behind it."""
    sentence = f"llmgw: {_sentence(cause.message)} The answer is not complete."
    event = error_event(dialect, 502, cause.code, sentence)
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(event), event)


def client_head(head: Head, line: RequestLine, *, persists: bool) -> Head:
    """Add what the client must know of its connection; HTTP/1.1 takes silence for "it stays"."""
    if not persists:
        return Head(head.first, (*head.fields, (b"Connection", b"close")))
    if line.minor == b"0":
        return Head(head.first, (*head.fields, (b"Connection", b"keep-alive")))
    return head


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
