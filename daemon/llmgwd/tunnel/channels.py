"""A tunnel of the last resort, v4 channels: one connection an upgrade, no half-close, no reset.

The pod is dialled at the upgrade, so a warm tunnel of this kind is an open connection to the
program, and closing the WebSocket is the only signal there is.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from llmgwd.protocol import channels, websocket
from llmgwd.protocol.budget import Budget
from llmgwd.tunnel.framing import WebSocketFraming
from llmgwd.tunnel.stream import MAX_ERROR_TEXT_BYTES, failure_from_text

if TYPE_CHECKING:
    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.route import StreamOwner
    from llmgwd.tunnel.tunnel import Tunnel

# A ping's pong, and what a peer may add to it.
_PONG_UNITS = 4
_PORT_CLOSED = 1000
_DATA_CHANNEL = bytes((channels.DATA,))


class ChannelStream:
    """The one stream of its tunnel; it cannot say that it has finished, only close."""

    __slots__ = ("_streams", "endpoint")

    def __init__(self, streams: ChannelStreams, endpoint: Endpoint) -> None:
        self._streams = streams
        self.endpoint = endpoint

    @property
    def pod(self) -> str:
        return self.endpoint.pod

    def send(self, payload: bytes) -> None:
        self._streams.send_data(payload)

    def finish(self) -> None:
        """Nothing: there is no half-close, and the answer may still come."""

    def discard(self) -> None:
        self._streams.release()

    def reset(self) -> None:
        self._streams.release()

    def pause(self) -> None:
        self._streams.tunnel.set_reading(False)

    def resume(self) -> None:
        self._streams.tunnel.set_reading(True)


class ChannelStreams:
    """The one stream that such a tunnel carries in its life."""

    can_share = False

    def __init__(self, tunnel: Tunnel, transport: asyncio.WriteTransport) -> None:
        self.tunnel = tunnel
        self.load = 0
        self.is_idle = True
        self._loop = asyncio.get_running_loop()
        self._budget = Budget(self._loop.time())
        self._framing = WebSocketFraming(transport, tunnel, self._budget)
        self._decoder = channels.Decoder(tunnel.endpoint.port)
        self._write = transport.write
        self._owner: StreamOwner | None = None
        self._has_answered = False
        self._error_text = b""
        # What a program says before it is asked (some protocols greet) waits for the owner.
        self._greeting = bytearray()

    def open(self, owner: StreamOwner) -> ChannelStream:
        stream = ChannelStream(self, self.tunnel.endpoint)
        self._owner = owner
        self.load, self.is_idle = 1, False
        payload = owner.unsent(self.tunnel.endpoint.pod)
        owner.stream_opened(stream)
        if payload:
            self.send_data(payload)
        if self.tunnel.is_write_paused:
            owner.pause_sending()
        if self._greeting:
            self._has_answered = True
            owner.stream_data(bytes(self._greeting))
            self._greeting.clear()
            self.tunnel.set_reading(True)
        return stream

    def send_data(self, payload: bytes) -> None:
        if self.tunnel.is_closed:
            return
        self.tunnel.liveness.sent(len(payload))
        view = memoryview(payload)
        for at in range(0, len(payload), channels.MAX_MESSAGE_BYTES):
            piece = view[at : at + channels.MAX_MESSAGE_BYTES]
            self._write(websocket.frame(websocket.Opcode.BINARY, _DATA_CHANNEL, piece))

    def release(self) -> None:
        """The client is gone: closing is the only way to say so."""
        self._disown()
        self.tunnel.close()

    def _disown(self) -> StreamOwner | None:
        owner, self._owner = self._owner, None
        self.load = 0
        return owner

    # What comes.

    def feed(self, chunk: memoryview | bytes) -> bool:
        self._budget.refill(self._loop.time())
        parts: list[bytes] = []
        for piece in self._framing.pieces(chunk):
            received = self._decoder.feed(piece)
            if received is None:
                continue
            if received.channel == channels.ERROR:
                text = self._error_text + received.payload
                self._error_text = text[:MAX_ERROR_TEXT_BYTES]
            else:
                parts.append(received.payload)
        if parts:
            self._take_data(parts[0] if len(parts) == 1 else b"".join(parts))
        if self._framing.goodbye is not None:
            self._take_goodbye(self._framing.goodbye)
        return self._framing.is_behind

    def _take_data(self, payload: bytes) -> None:
        if self._owner is not None:
            self._has_answered = True
            self._owner.stream_data(payload)
        elif self.is_idle:
            self._greeting += payload
            self.tunnel.set_reading(False)

    def _take_goodbye(self, goodbye: LlmgwError) -> None:
        """1000 without an error text is the pod's end; with a text it is a failure."""
        if self._error_text:
            self._fail_with_text()
        elif self._framing.close_code == _PORT_CLOSED and self._owner is not None:
            owner = self._disown()
            assert owner is not None
            owner.stream_ended()
            self.tunnel.close()
        else:
            self.tunnel.fail(goodbye)

    def _fail_with_text(self) -> None:
        text = self._error_text.decode(errors="replace").strip()
        cause, is_unreceived = failure_from_text(text, self._has_answered, self.tunnel.endpoint.pod)
        owner = self._disown()
        self.tunnel.fail(cause)
        if owner is not None:
            owner.stream_failed(cause, is_unreceived)

    # As the streams of a tunnel.

    def ping(self) -> None:
        self._budget.grant(_PONG_UNITS)
        self._framing.ping()

    def sweep(self, now: float) -> None:
        """Nothing: a stream that ends closes its tunnel."""

    def sweep_at(self) -> float:
        return inf

    def fail_all(self, cause: LlmgwError, *, was_silent: bool) -> None:
        """No way to prove what the pod has read: nothing is accepted in words here."""
        owner = self._disown()
        if owner is not None:
            owner.stream_failed(cause, False)

    def pause_sending(self) -> None:
        if self._owner is not None:
            self._owner.pause_sending()

    def resume_sending(self) -> None:
        if self._owner is not None:
            self._owner.resume_sending()

    def say_goodbye(self) -> None:
        self._framing.close()
