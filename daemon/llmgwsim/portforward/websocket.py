"""The server's end of a WebSocket (RFC 6455), and SPDY carried in its binary messages.

Written apart from the daemon's own codec on purpose: two readings of the standard must agree.
Messages are handed on in pieces as they come, so their length costs no memory.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, cast

from llmgwsim.portforward.spdy import MAX_FRAME_BYTES, SpdySession

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwsim.portforward.target import Target

try:
    from aiohttp._websocket.helpers import websocket_mask
except ImportError:  # a private place, and without it the big integers below do

    def websocket_mask(mask: bytes, data: bytearray) -> None:
        size = len(data)
        pattern = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
        data[:] = (int.from_bytes(data, "little") ^ pattern).to_bytes(size, "little")


CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, PROTOCOL_ERROR, TOO_BIG = 1000, 1002, 1009
# gorilla's limit in the API server's v4 way.
MAX_MESSAGE_BYTES = 32 * 1024 * 1024


class _Violation(Exception):
    """The client broke the protocol; the argument is the close code."""


class WebSocketServer(asyncio.Protocol):
    """Frames of one client; subclasses take the pieces of its messages."""

    def __init__(self, closed: Callable[[], None]) -> None:
        self._closed = closed
        self._buffer = bytearray()
        self._at = 0
        self._opcode = 0
        self._mask = b""
        self._left = 0
        self._control = bytearray()
        self._is_in_frame = False
        self._is_start = False
        self._is_fin = False
        self._is_close_sent = False
        self.transport: asyncio.Transport

    def piece_received(self, piece: bytearray, is_start: bool, is_end: bool) -> None:
        """A piece of a message, in order."""

    def pieces_ended(self) -> None:
        """No more pieces have come by now."""

    def client_lost(self) -> None:
        """The connection is gone, or the client has closed it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.client_lost()
        self._closed()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while self._is_in_frame or self._take_head():
                if not self._take_payload():
                    break
        except _Violation as violation:
            self.send_close(int(violation.args[0]))
        del self._buffer[: self._at]
        self._at = 0
        self.pieces_ended()

    def send_message(self, *parts: bytes | memoryview) -> None:
        """One unfragmented binary message."""
        if not self._is_close_sent:
            self.transport.write(b"".join((_head(BINARY, sum(map(len, parts))), *parts)))

    def send_close(self, code: int = NORMAL) -> None:
        if not self._is_close_sent:
            self.transport.write(_head(CLOSE, 2) + code.to_bytes(2, "big"))
            self._is_close_sent = True
            self.transport.close()

    def _take_head(self) -> bool:
        buffer, begin = self._buffer, self._at
        if len(buffer) < begin + 2:
            return False
        first, second = buffer[begin], buffer[begin + 1]
        if not second & 0x80 or first & 0x70:
            raise _Violation(PROTOCOL_ERROR)
        size, at = second & 0x7F, begin + 2
        if size >= 126:
            at += 2 if size == 126 else 8
        if len(buffer) < at + 4:
            return False
        if size >= 126:
            size = int.from_bytes(buffer[begin + 2 : at], "big")
        if size > MAX_MESSAGE_BYTES:
            raise _Violation(TOO_BIG)
        self._mask = bytes(buffer[at : at + 4])
        self._at = at + 4
        self._opcode, self._is_fin = first & 0x0F, bool(first & 0x80)
        self._left, self._is_in_frame, self._is_start = size, True, True
        return True

    def _take_payload(self) -> bool:
        """Take what there is of the frame's payload; False while it is not complete."""
        size = min(self._left, len(self._buffer) - self._at)
        if self._left and not size:
            return False
        piece = self._buffer[self._at : self._at + size]
        self._at += size
        websocket_mask(self._mask, piece)
        turn = size % 4
        self._mask = self._mask[turn:] + self._mask[:turn]
        self._left -= size
        is_frame_end = self._left == 0
        self._is_in_frame = not is_frame_end
        is_start, self._is_start = self._is_start, False
        if self._opcode >= CLOSE:
            self._take_control(piece, is_frame_end)
        else:
            is_first = is_start and self._opcode != CONTINUATION
            self.piece_received(piece, is_first, is_frame_end and self._is_fin)
        return is_frame_end

    def _take_control(self, piece: bytearray, is_end: bool) -> None:
        self._control += piece
        if not is_end:
            return
        payload = bytes(self._control)
        self._control.clear()
        if self._opcode == PING:
            self.transport.write(_head(PONG, len(payload)) + payload)
        elif self._opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else NORMAL
            self.send_close(code)


def _head(opcode: int, size: int) -> bytes:
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 65536:
        return struct.pack(">BBH", 0x80 | opcode, 126, size)
    return struct.pack(">BBQ", 0x80 | opcode, 127, size)


class WebSocketSpdy(WebSocketServer):
    """KEP-4006: the bytes of one SPDY connection as the payload of binary messages."""

    def __init__(self, target: Target, closed: Callable[[], None]) -> None:
        super().__init__(closed)
        self.session = SpdySession(self, target)
        self._pieces: list[bytearray] = []

    def piece_received(self, piece: bytearray, is_start: bool, is_end: bool) -> None:
        self._pieces.append(piece)

    def pieces_ended(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces:
            self.session.received(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def client_lost(self) -> None:
        self.session.lost()

    def pause_writing(self) -> None:
        self.session.pause_writing()

    def resume_writing(self) -> None:
        self.session.resume_writing()

    def write_frames(self, frames: list[bytes | memoryview]) -> None:
        """Send SPDY frames; the real tunnel copies through 32 KiB as well."""
        if len(frames) == 1 and len(frames[0]) <= MAX_FRAME_BYTES:
            self.send_message(frames[0])
            return
        if self._is_close_sent:
            return
        pieces: list[bytes | memoryview] = []
        for head, payload in zip(frames[::2], frames[1::2], strict=True):
            pieces += (_head(BINARY, len(head) + len(payload)), head, payload)
        self.transport.write(b"".join(pieces))

    def pause_reading(self) -> None:
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.transport.resume_reading()

    def close(self) -> None:
        self.send_close()
