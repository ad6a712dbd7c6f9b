"""The bytes of a tunnel between its transport and its codec: plain, or inside a WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llmgwctl.wire import Condition
from llmgwd.errors import Transient
from llmgwd.protocol import websocket

if TYPE_CHECKING:
    import asyncio

    from llmgwd.errors import LlmgwError


class Link(Protocol):
    """Carries the bytes of SPDY both ways."""

    @property
    def goodbye(self) -> LlmgwError | None:
        """What the peer said when it ended the link in words; its bytes before that count."""

    def write(self, *chunks: bytes) -> None: ...

    def feed(self, chunk: memoryview) -> list[memoryview | bytes]:
        """Return the SPDY bytes in what the network brought.

        Raises:
            ProtocolError: the peer broke the link's rules.
        """

    def close(self) -> None:
        """Say goodbye, where the link has a word for it; the transport is the caller's to close."""


class RawLink:
    """SPDY straight on the upgraded connection."""

    goodbye: LlmgwError | None = None

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def write(self, *chunks: bytes) -> None:
        # One write is one TLS record and one segment where it fits.
        self._transport.write(b"".join(chunks) if len(chunks) > 1 else chunks[0])

    def feed(self, chunk: memoryview) -> list[memoryview | bytes]:
        return [chunk]

    def close(self) -> None:
        """Closing the connection says it."""


class WebSocketLink:
    """SPDY in binary messages, cut anywhere; a message boundary means nothing."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self.goodbye: LlmgwError | None = None
        self.close_code: int | None = None
        self._transport = transport
        self._decoder = websocket.Decoder()

    def write(self, *chunks: bytes) -> None:
        self._transport.write(websocket.frame(websocket.Opcode.BINARY, *chunks))

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
            Condition.TUNNEL_LOST, f"The cluster closed the WebSocket: {said}."
        )

    def ping(self) -> None:
        self._transport.write(websocket.frame(websocket.Opcode.PING))

    def close(self) -> None:
        self._transport.write(websocket.close_frame(1000))
