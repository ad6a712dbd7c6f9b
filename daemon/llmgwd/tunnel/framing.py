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
    from llmgwd.protocol.budget import Budget
    from llmgwd.tunnel.tunnel import Tunnel

# A TLS record's worth does not wait: the cluster may work on it while more is gathered.
RECORD_BYTES: Final = 16 * 1024
# From this size on a copy costs more than the write of its own that saves it.
COPY_LIMIT_BYTES: Final = 2 * RECORD_BYTES
# The end of a stream waits this long for the opening of the next one: a write of its own would cost
# as much as carrying the request (a TLS record, a system call, and a wake-up of the peer). The
# runtime behind the peer takes a second over each end anyway.
LATER_S: Final = 0.1


class Framing(Protocol):
    """Carries the bytes of SPDY both ways."""

    @property
    def goodbye(self) -> LlmgwError | None:
        """What the peer said when it ended the link in words; its bytes before that count."""

    def write(self, *chunks: bytes | memoryview) -> None:
        """Send, at the end of this turn of the loop."""

    def write_later(self, chunk: bytes) -> None:
        """Send with the next write, or by itself within `LATER_S`."""

    def flush(self) -> None:
        """Send what was written, now."""

    @property
    def is_behind(self) -> bool:
        """Bytes are left that `feed(b"")` goes on with."""

    def feed(self, chunk: memoryview | bytes) -> memoryview | bytes:
        """Return the SPDY bytes in what the network brought.

        Raises:
            ProtocolError: the peer broke the link's rules.
        """

    def close(self) -> None:
        """Say goodbye, where the link has a word for it; the transport is the caller's to close."""


class _Gatherer:
    """Collects the writes of one turn of the loop, and those that may wait for the next."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._chunks: list[bytes | memoryview] = []
        self._gathered_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._is_flush_near = False
        self._later: asyncio.TimerHandle | None = None

    def write(self, *chunks: bytes | memoryview) -> None:
        self._chunks += chunks
        self._gathered_bytes += sum(map(len, chunks))
        if self._gathered_bytes >= RECORD_BYTES:
            self.flush()
        elif not self._is_flush_near:
            self._is_flush_near = True
            self._loop.call_soon(self.flush)

    def write_later(self, chunk: bytes) -> None:
        if self._later is None and not self._is_flush_near:
            self._later = self._loop.call_later(LATER_S, self.flush)
        self._chunks.append(chunk)

    def flush(self) -> None:
        self._is_flush_near = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        chunks, self._chunks = self._chunks, []
        self._gathered_bytes = 0
        if chunks and not self._transport.is_closing():
            self._transport.writelines(self._pieces(chunks))

    def _pieces(self, chunks: list[bytes | memoryview]) -> list[bytes | bytearray | memoryview]:
        """Give what is sent in one system call, each piece in TLS records of its own."""
        raise NotImplementedError


class RawFraming(_Gatherer):
    """SPDY straight on the upgraded connection."""

    goodbye: LlmgwError | None = None
    is_behind = False

    def _pieces(self, chunks: list[bytes | memoryview]) -> list[bytes | bytearray | memoryview]:
        """Join what is small; of what is large, copy only what fills the record it begins in."""
        pieces: list[bytes | bytearray | memoryview] = []
        small: list[bytes | memoryview] = []
        for chunk in chunks:
            if len(chunk) < COPY_LIMIT_BYTES:
                small.append(chunk)
                continue
            room = RECORD_BYTES - sum(map(len, small)) % RECORD_BYTES
            view = memoryview(chunk)
            pieces += (b"".join((*small, view[:room])), view[room:])
            small.clear()
        if small:
            pieces.append(b"".join(small))
        return pieces

    def feed(self, chunk: memoryview | bytes) -> memoryview | bytes:
        return chunk

    def close(self) -> None:
        """Closing the connection says it."""
        self.flush()


class WebSocketFraming(_Gatherer):
    """SPDY in binary messages, cut anywhere; a message boundary means nothing."""

    def __init__(self, transport: asyncio.WriteTransport, tunnel: Tunnel, budget: Budget) -> None:
        super().__init__(transport)
        self.goodbye: LlmgwError | None = None
        self.close_code: int | None = None
        self._tunnel = tunnel
        self._decoder = websocket.Decoder(budget)

    def _pieces(self, chunks: list[bytes | memoryview]) -> list[bytes | bytearray | memoryview]:
        return [websocket.frame(websocket.Opcode.BINARY, *chunks)]

    @property
    def is_behind(self) -> bool:
        return self._decoder.is_behind

    def feed(self, chunk: memoryview | bytes) -> memoryview | bytes:
        pieces = self.pieces(chunk)
        # A server relays SPDY in messages as small as four bytes; decoding each by itself would
        # cost more than this copy.
        return pieces[0].payload if len(pieces) == 1 else b"".join(p.payload for p in pieces)

    def pieces(self, chunk: memoryview | bytes) -> list[websocket.Piece]:
        """Return the pieces of messages, having answered what the WebSocket itself wants."""
        pieces: list[websocket.Piece] = []
        for part in self._decoder.feed(chunk):
            if isinstance(part, websocket.Piece):
                pieces.append(part)
            elif isinstance(part, websocket.Ping):
                pong = websocket.frame(websocket.Opcode.PONG, part.payload)
                self._tunnel.reply(len(pong))
                self._transport.write(pong)
            elif isinstance(part, websocket.Close):
                self._note_goodbye(part)
        return pieces

    def _note_goodbye(self, close: websocket.Close) -> None:
        said = f"{close.code} {close.reason}".strip()
        self.close_code = close.code
        self.goodbye = Transient(
            ConditionKind.TUNNEL_LOST,
            f"The cluster closed the WebSocket: {said}.",
            public=f"The cluster closed the WebSocket: {close.code}.",
        )

    def ping(self) -> None:
        self._transport.write(websocket.frame(websocket.Opcode.PING))

    def close(self) -> None:
        self.flush()
        self._transport.write(websocket.close_frame(1000))
