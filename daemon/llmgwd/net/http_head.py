"""The head of an HTTP/1 answer, read off a bare transport: of an upgrade, or of a proxy."""

from __future__ import annotations

import asyncio
import http.client
import io
from email.message import Message
from typing import cast

# What API servers and proxies send is below 8 KiB; beyond this it is not an answer to us.
MAX_HEAD_BYTES = 64 * 1024


class HeadReader(asyncio.Protocol):
    """Reads one response head and pauses: what came after it is `leftover`.

    Then either another protocol takes the transport, or `read_body` takes the rest.
    """

    def __init__(self) -> None:
        self.leftover = bytearray()
        self._transport: asyncio.Transport | None = None
        self._is_ended = False
        self._cause: Exception | None = None
        self._wakeup: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's transports are no subclasses.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self.leftover += data
        self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._is_ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_ended, self._cause = True, exc
        self._wake()

    async def read_head(self) -> tuple[int, Message]:
        """Return status and headers.

        Raises:
            EOFError: the connection ended before the head did.
            OSError: it broke, or the answer is no HTTP.
        """
        while (end := self.leftover.find(b"\r\n\r\n")) < 0:
            if len(self.leftover) > MAX_HEAD_BYTES:
                raise OSError("the answer's head does not end")
            await self._more()
        head = bytes(self.leftover[: end + 4])
        del self.leftover[: end + 4]
        return parse_head(head)

    async def read_body(self, headers: Message) -> bytes:
        """Return the body of an answer that is not an upgrade, cut at 64 KiB."""
        length = headers.get("Content-Length", "")
        is_chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        wanted = int(length) if length.isdecimal() else MAX_HEAD_BYTES
        try:
            while len(self.leftover) < min(wanted, MAX_HEAD_BYTES):
                if is_chunked and self.leftover.endswith(b"0\r\n\r\n"):
                    break
                await self._more()
        except (OSError, EOFError):
            pass  # as much as there is
        body = bytes(self.leftover[:MAX_HEAD_BYTES])
        return _joined_chunks(body) if is_chunked else body[:wanted]

    async def _more(self) -> None:
        if self._is_ended:
            raise self._cause or EOFError("the connection was closed before an answer came")
        assert self._transport is not None
        self._wakeup = asyncio.get_running_loop().create_future()
        if not self._transport.is_reading():
            self._transport.resume_reading()
        await self._wakeup

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)


def parse_head(head: bytes) -> tuple[int, Message]:
    """Split a complete response head into status and headers.

    Raises:
        OSError: not HTTP/1.
    """
    file = io.BytesIO(head)
    first = file.readline().split(None, 2)
    if len(first) < 2 or not first[0].startswith(b"HTTP/1.") or not first[1].isdigit():
        raise OSError("the answer is not HTTP")
    try:
        return int(first[1]), http.client.parse_headers(file)
    except http.client.HTTPException as error:
        raise OSError(f"the answer's head is broken: {error}") from error


def _joined_chunks(body: bytes) -> bytes:
    joined = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            break
        joined += body[:length]
        body = body[length + 2 :]
    return bytes(joined)
