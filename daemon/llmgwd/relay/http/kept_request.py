"""What is kept of a request until its answer begins, so that it can be sent again.

A request that provably reached no one, or whose method is safe, goes to another pod or route when
its stream breaks. For that its bytes are kept: up to `RESEND_BYTES` of one request (long contexts
and pictures), and up to the budget that all requests of the daemon share. What is above it is
carried all the same, but once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llmgwd.net.http1_heads import Head, RequestLine
    from llmgwd.relay.route import Route

RESEND_BYTES: Final = 16 * 1024 * 1024
RESEND_BYTES_IN_ALL: Final = 64 * 1024 * 1024
_SAFE_METHODS: Final = (b"GET", b"HEAD", b"OPTIONS")
# LiteLLM's /health calls, and pays for, every model: it is never asked twice.
_PAID_PATHS: Final = (b"/health", b"/health/")


class ResendBudget:
    """Bytes that all requests together may keep."""

    def __init__(self, limit_bytes: int = RESEND_BYTES_IN_ALL) -> None:
        self._left_bytes = limit_bytes

    def take(self, size: int) -> bool:
        if size > self._left_bytes:
            return False
        self._left_bytes -= size
        return True

    def take_anyway(self, size: int) -> None:
        """For bytes that exist once only; others get less meanwhile."""
        self._left_bytes -= size

    def give_back(self, size: int) -> None:
        self._left_bytes += size


class KeptRequest:
    """One request as its client sent it: the head parsed, the body in pieces."""

    __slots__ = ("_body", "_budget", "_kept_bytes", "head", "is_whole", "line")

    def __init__(self, head: Head, line: RequestLine, budget: ResendBudget) -> None:
        self.head = head
        self.line = line
        self.is_whole = False  # its end has come
        self._body: list[bytes] | None = []
        self._kept_bytes = 0
        self._budget = budget

    @property
    def path(self) -> bytes:
        """The target without its query, and without the origin of an absolute form."""
        return origin_form(self.line.target).partition(b"?")[0]

    @property
    def can_be_sent(self) -> bool:
        """All that its client has sent so far is still here."""
        return self._body is not None

    @property
    def kept_bytes(self) -> int:
        return self._kept_bytes

    @property
    def is_safe(self) -> bool:
        """To send it twice does no harm, wherever the first one went (RFC 9110, 9.2.1)."""
        return self.line.method in _SAFE_METHODS and self.path not in _PAID_PATHS

    def add(self, payload: bytes) -> None:
        """Keep a piece that goes to a stream at the same time; give up above the limit."""
        if self._body is None:
            return
        size = len(payload)
        if self._kept_bytes + size > RESEND_BYTES or not self._budget.take(size):
            self.forget()
            return
        self._body.append(payload)
        self._kept_bytes += size

    def add_unsent(self, payload: bytes) -> None:
        """Keep a piece that no stream has yet, whatever the limit: the caller stops reading."""
        assert self._body is not None
        self._body.append(payload)
        self._kept_bytes += len(payload)
        self._budget.take_anyway(len(payload))

    def forget(self) -> None:
        """It will not be sent again."""
        self._body = None
        self._budget.give_back(self._kept_bytes)
        self._kept_bytes = 0

    def bytes_for(self, route: Route, head: Head | None = None) -> bytes:
        """Give it as far as it has come, as it goes over this route; `head` replaces its own."""
        assert self._body is not None
        return b"".join([route.request_head(head or self.head, self.line).raw(), *self._body])


def origin_form(target: bytes) -> bytes:
    """The path and query of a target: an absolute form is taken for its path (RFC 9112, 3.2.2)."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return target
    authority_end = min((at for at in map(rest.find, (b"/", b"?")) if at >= 0), default=len(rest))
    path = rest[authority_end:]
    return path if path.startswith(b"/") else b"/" + path
