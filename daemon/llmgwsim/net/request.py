"""One HTTP request as its server's program sees it: what was asked, and the ways to answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

_KNOWN = {status.value for status in HTTPStatus}


class Connection(Protocol):
    """What a request needs of the connection it came on; `http1.HttpConnection` is one."""

    transport: asyncio.Transport
    common_headers: dict[str, str]

    def write(self, data: bytes) -> None: ...
    def reset(self) -> None: ...
    def take_over(self, protocol: asyncio.Protocol) -> bytes: ...
    async def drained(self) -> None: ...
    async def next_body(self) -> bytes: ...


class Request:
    """One request and the way to answer it."""

    def __init__(
        self,
        connection: Connection,
        method: str,
        target: str,
        headers: dict[str, str],
        header_lines: Sequence[tuple[str, str]] = (),
    ) -> None:
        parts = urlsplit(target)
        self.method = method
        self.path = unquote(parts.path)
        self.query: dict[str, list[str]] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            self.query.setdefault(name, []).append(value)
        self.headers = headers  # of a name that is repeated, the last
        self.header_lines = header_lines
        self.connection = connection
        self.is_started = False
        self.is_keep_alive = _keeps_alive(headers)
        self._is_chunked = False
        self._is_head = method == "HEAD"

    def argument(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        """Whether a switch is on, by Kubernetes' rule: there, and neither `0` nor `false`."""
        return name in self.query and self.query[name][0].lower() not in ("0", "false")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; the client is slowed to the reader's pace."""
        while True:
            piece = await self.connection.next_body()
            if not piece:
                return
            yield piece

    async def body(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    def respond(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        lines = {"content-type": content_type} if body or content_type else {}
        lines |= {"content-length": str(len(body))} | dict(headers or {})
        head = self._head(status, lines, reason)
        self.connection.write(head if self._is_head else head + body)

    def respond_json(
        self, status: int, body: object, headers: Mapping[str, str] | None = None
    ) -> None:
        self.respond(status, json.dumps(body, separators=(",", ":")).encode(), headers=headers)

    def start(
        self,
        status: int,
        headers: Mapping[str, str],
        length: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Begin an answer whose body follows by `send`: chunked, unless its length is known."""
        lines = dict(headers)
        if length is None:
            self._is_chunked = True
            lines["transfer-encoding"] = "chunked"
        else:
            lines["content-length"] = str(length)
        self.connection.write(self._head(status, lines, reason))

    async def send(self, piece: bytes) -> None:
        """Send a piece of the body; waits while the client does not read.

        Raises:
            ConnectionError: the client is gone.
        """
        if self._is_chunked:
            self.connection.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            self.connection.write(piece)
        await self.connection.drained()

    def finish(self) -> None:
        if self._is_chunked:
            self.connection.write(b"0\r\n\r\n")

    def _head(self, status: int, headers: Mapping[str, str], reason: str | None) -> bytes:
        self.is_started = True
        if reason is None:
            reason = HTTPStatus(status).phrase if status in _KNOWN else ""
        lines = [f"HTTP/1.1 {status} {reason}"]
        lines += [f"{name}: {value}" for name, value in self.connection.common_headers.items()]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if not self.is_keep_alive:
            lines.append("connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _keeps_alive(headers: Mapping[str, str]) -> bool:
    return headers.get("connection", "").lower() != "close"


def json_body(raw: bytes) -> dict[str, Any]:
    """A JSON object from a body; an empty body is an empty object.

    Raises:
        ValueError: not JSON, or not an object.
    """
    value = json.loads(raw) if raw.strip() else {}
    if not isinstance(value, dict):
        raise ValueError("a JSON object is needed")
    return value
