"""The answer to a request that asks for the connection itself: an upgrade, or a proxy's CONNECT."""

from __future__ import annotations

import asyncio
from typing import cast

from llmgwd.net.http1_answer import AnswerReader
from llmgwd.net.http1_heads import BadMessage, Head

# Of a refusal: enough for the sentence in it.
_MAX_BODY_BYTES = 64 * 1024


class HeadReader(asyncio.Protocol):
    """Reads one answer's head and pauses: what came after it is `leftover`.

    Then either another protocol takes the transport, or `read_body` takes the rest.
    """

    def __init__(self, method: bytes = b"GET") -> None:
        self._answer = AnswerReader(method)
        self._transport: asyncio.Transport | None = None
        self._is_ended = False
        self._cause: Exception | None = None
        self._wakeup: asyncio.Future[None] | None = None

    @property
    def leftover(self) -> bytes:
        return self._answer.leftover

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's transports are no subclasses.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        try:
            self._answer.feed(data)
        except BadMessage as error:
            self._is_ended, self._cause = True, OSError(f"the answer is not HTTP: {error}")
        self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._is_ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        # Of any class: a mistake in asyncio's TLS ends the connection as well.
        broken = OSError(str(exc)) if exc and not isinstance(exc, OSError) else exc
        self._is_ended, self._cause = True, self._cause or broken
        self._wake()

    async def read_head(self) -> tuple[int, Head]:
        """Return status and head.

        Raises:
            EOFError: the connection ended before the head did.
            OSError: it broke, or the answer is no HTTP.
        """
        while self._answer.head is None:
            await self._more()
        return self._answer.status, self._answer.head

    async def read_body(self) -> bytes:
        """Return the body of an answer that is not an upgrade, cut at 64 KiB."""
        content = self._answer.content
        try:
            while not self._answer.is_whole and len(content) < _MAX_BODY_BYTES:
                await self._more()
        except (OSError, EOFError):
            pass  # as much as there is
        return bytes(content[:_MAX_BODY_BYTES])

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
