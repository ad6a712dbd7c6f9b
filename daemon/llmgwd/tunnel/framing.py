"""The bytes of a tunnel between its transport and its codec: plain, or inside a WebSocket.

What is written within one turn of the event loop leaves in one piece: one TLS record, one system
call and, inside a WebSocket, one message, however many streams it is of.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Transient
from llmgwd.protocol import websocket

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError

# A TLS record's worth does not wait: the cluster may work on it while more is gathered.
RECORD_BYTES: Final = 16 * 1024


class Framing(Protocol):
    """Carries the bytes of SPDY both ways."""

    @property
    def goodbye(self) -> LlmgwError | None:
        """What the peer said when it ended the link in words; its bytes before that count."""

    def write(self, *chunks: bytes | memoryview) -> None:
        """Send, at the end of this turn of the loop."""

    def flush(self) -> None:
        """Send what was written, now."""

    def feed(self, chunk: memoryview) -> list[memoryview | bytes]:
        """Return the SPDY bytes in what the network brought.

        Raises:
            ProtocolError: the peer broke the link's rules.
        """

    def close(self) -> None:
        """Say goodbye, where the link has a word for it; the transport is the caller's to close."""


class _Gatherer:
    """Collects the writes of one turn of the loop."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._chunks: list[bytes | memoryview] = []
        self._gathered_bytes = 0
        self._loop = asyncio.get_running_loop()

    def write(self, *chunks: bytes | memoryview) -> None:
        if not self._chunks:
            self._loop.call_soon(self.flush)
        self._chunks += chunks
        self._gathered_bytes += sum(map(len, chunks))
        if self._gathered_bytes >= RECORD_BYTES:
            self.flush()

    def flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        self._gathered_bytes = 0
        if chunks and not self._transport.is_closing():
            self._transport.write(self._joined(chunks))

    def _joined(self, chunks: list[bytes | memoryview]) -> bytes | bytearray:
        return b"".join(chunks)


class RawFraming(_Gatherer):
    """SPDY straight on the upgraded connection."""

    goodbye: LlmgwError | None = None

    def feed(self, chunk: memoryview) -> list[memoryview | bytes]:
        return [chunk]

    def close(self) -> None:
        """Closing the connection says it."""
        self.flush()


class WebSocketFraming(_Gatherer):
    """SPDY in binary messages, cut anywhere; a message boundary means nothing."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        super().__init__(transport)
        self.goodbye: LlmgwError | None = None
        self.close_code: int | None = None
        self._decoder = websocket.Decoder()

    def _joined(self, chunks: list[bytes | memoryview]) -> bytearray:
        return websocket.frame(websocket.Opcode.BINARY, *chunks)

    def feed(self, chunk: memoryview) -> list[memoryview | bytes]:
        return [piece.payload for piece in self.pieces(chunk) if piece.payload]

    def pieces(self, chunk: memoryview) -> list[websocket.Piece]:
        """Return the pieces of messages, having answered what the WebSocket itself wants."""
        pieces: list[websocket.Piece] = []
        for part in self._decoder.feed(chunk):
            if isinstance(part, websocket.Piece):
                pieces.append(part)
            elif isinstance(part, websocket.Ping):
                self._transport.write(websocket.frame(websocket.Opcode.PONG, part.payload))
            elif isinstance(part, websocket.Close):
                self._note_goodbye(part)
        return pieces

    def _note_goodbye(self, close: websocket.Close) -> None:
        said = f"{close.code} {close.reason}".strip()
        self.close_code = close.code
        self.goodbye = Transient(
            ConditionKind.TUNNEL_LOST, f"The cluster closed the WebSocket: {said}."
        )

    def ping(self) -> None:
        self._transport.write(websocket.frame(websocket.Opcode.PING))

    def close(self) -> None:
        self.flush()
        self._transport.write(websocket.close_frame(1000))
