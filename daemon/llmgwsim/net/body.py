"""The body of one request as its client sends it: by length or in chunks, with back-pressure."""

from __future__ import annotations

import asyncio
from collections import deque

_HIGH_BYTES = 256 * 1024


class IncomingBody:
    """Takes what is the body's from a connection's bytes; a reader awaits its pieces."""

    def __init__(self, transport: asyncio.Transport, length: int | None) -> None:
        """`length` None: it comes in chunks."""
        self._transport = transport
        self._pieces: deque[bytes] = deque()
        self._held_bytes = 0
        self._left = length or 0
        self._is_chunked = length is None
        self._is_lost = False
        self._wakeup: asyncio.Future[None] | None = None
        self.is_done = length == 0

    def takes_all(self, data: bytes) -> bool:
        """Say whether these bytes are the body's alone, with more to come."""
        return not self._is_chunked and 0 < len(data) < self._left

    def take(self, piece: bytes) -> None:
        """Take bytes that are all the body's."""
        self._left -= len(piece)
        self._pieces.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > _HIGH_BYTES:
            self._transport.pause_reading()
        self._wake()

    def feed(self, buffer: bytearray) -> None:
        """Take the body's part from the front of a buffer; what is left belongs to what follows."""
        while buffer and not self.is_done:
            if self._is_chunked and self._left == 0:
                if not self._next_chunk(buffer):
                    return
                continue
            piece = bytes(buffer[: self._left])
            del buffer[: len(piece)]
            self.take(piece)
            if self._left == 0 and not self._is_chunked:
                self.is_done = True
        self._wake()

    def lose(self) -> None:
        """The client is gone: no more comes."""
        self._is_lost = True
        self._wake()

    async def next(self) -> bytes:
        """The next piece, empty at the end.

        Raises:
            ConnectionError: the client is gone before the end.
        """
        while not self._pieces:
            if self.is_done:
                return b""
            if self._is_lost:
                raise ConnectionResetError("the client is gone")
            self._wakeup = asyncio.get_running_loop().create_future()
            await self._wakeup
        piece = self._pieces.popleft()
        self._held_bytes -= len(piece)
        if self._held_bytes <= _HIGH_BYTES and not self._is_lost:
            self._transport.resume_reading()
        return piece

    def _next_chunk(self, buffer: bytearray) -> bool:
        """Read a chunk's head; False while it is not all there."""
        # The line end of the chunk before is no data.
        if buffer.startswith(b"\r\n"):
            del buffer[:2]
        end = buffer.find(b"\r\n")
        if end < 0:
            return False
        size = int(bytes(buffer[:end]).split(b";")[0], 16)
        if size == 0:
            trailer_end = buffer.find(b"\r\n\r\n", end)
            if trailer_end < 0:
                return False
            del buffer[: trailer_end + 4]
            self.is_done = True
            return True
        del buffer[: end + 2]
        self._left = size
        return True

    def _wake(self) -> None:
        if self._wakeup and not self._wakeup.done():
            self._wakeup.set_result(None)
