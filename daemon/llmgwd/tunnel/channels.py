"""A tunnel of the last resort, v4 channels: one connection an upgrade, no half-close, no reset.

The pod is dialled at the upgrade, so a warm tunnel of this kind is an open connection to the
program, and closing the WebSocket is the only signal there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwd.protocol import channels, websocket
from llmgwd.tunnel.framing import WebSocketFraming
from llmgwd.tunnel.spdy import MAX_ERROR_TEXT_BYTES
from llmgwd.tunnel.stream import StreamOwner, failure_from_text
from llmgwd.tunnel.tunnel import Tunnel

if TYPE_CHECKING:
    import asyncio

    from llmgwd.cluster.pods import Endpoint
    from llmgwd.errors import LlmgwError

_PORT_CLOSED = 1000
_DATA_CHANNEL = bytes((channels.DATA,))


class ChannelsStream:
    """The one stream of its tunnel; it cannot say that it has finished, only close."""

    def __init__(self, tunnel: ChannelsTunnel) -> None:
        self._tunnel = tunnel

    @property
    def endpoint(self) -> Endpoint:
        return self._tunnel.endpoint

    def send(self, payload: bytes) -> None:
        self._tunnel.send_data(payload)

    def finish(self) -> None:
        """Nothing: there is no half-close, and the answer may still come."""

    def discard(self) -> None:
        self._tunnel.release()

    def reset(self) -> None:
        self._tunnel.release()

    def pause(self) -> None:
        self._tunnel.set_reader_paused(True)

    def resume(self) -> None:
        self._tunnel.set_reader_paused(False)


class ChannelsTunnel(Tunnel):
    def _attach(self, transport: asyncio.Transport) -> None:
        self._framing = WebSocketFraming(transport)
        self._decoder = channels.Decoder(self.endpoint.port)
        self._write = transport.write
        self._owner: StreamOwner | None = None
        self._is_used = False
        self._has_answered = False
        self._error_text = b""
        # What a program says before it is asked (some protocols greet) waits for the owner.
        self._greeting = bytearray()

    @property
    def load(self) -> int:
        return int(self._owner is not None)

    @property
    def is_idle(self) -> bool:
        return not self._is_used

    @property
    def can_share(self) -> bool:
        return False

    def open(self, owner: StreamOwner) -> ChannelsStream:
        stream = ChannelsStream(self)
        self._owner = owner
        self._is_used = True
        payload = owner.unsent()
        owner.stream_opened(stream)
        if payload:
            self.send_data(payload)
        if self._is_write_paused:
            owner.pause_sending()
        if self._greeting:
            self._has_answered = True
            owner.stream_data(bytes(self._greeting))
            self._greeting.clear()
            self._set_read_paused(False)
        return stream

    def send_data(self, payload: bytes) -> None:
        if self.is_closed:
            return
        self._sent_since_heard_bytes += len(payload)
        view = memoryview(payload)
        for at in range(0, len(payload), channels.MAX_MESSAGE_BYTES):
            piece = view[at : at + channels.MAX_MESSAGE_BYTES]
            self._write(websocket.frame(websocket.Opcode.BINARY, _DATA_CHANNEL, piece))

    def release(self) -> None:
        """The client is gone: closing is the only way to say so."""
        self._owner = None
        self.close()

    def set_reader_paused(self, is_paused: bool) -> None:
        self._set_read_paused(is_paused)

    def _feed(self, chunk: memoryview) -> None:
        for piece in self._framing.pieces(chunk):
            received = self._decoder.feed(piece)
            if received is None:
                continue
            if received.channel == channels.ERROR:
                text = self._error_text + received.payload
                self._error_text = text[:MAX_ERROR_TEXT_BYTES]
            else:
                self._take_data(received.payload)
        if self._framing.goodbye is not None:
            self._take_goodbye(self._framing.goodbye)

    def _take_data(self, payload: bytes) -> None:
        if self._owner is not None:
            self._has_answered = True
            self._owner.stream_data(payload)
        elif not self._is_used:
            self._greeting += payload
            self._set_read_paused(True)

    def _take_goodbye(self, goodbye: LlmgwError) -> None:
        """1000 without an error text is the pod's end; with a text it is a failure."""
        owner = self._owner
        if self._error_text:
            self._fail_with_text()
        elif self._framing.close_code == _PORT_CLOSED and owner is not None:
            self._owner = None
            owner.stream_ended()
            self.close()
        else:
            self.fail(goodbye)

    def _fail_with_text(self) -> None:
        text = self._error_text.decode(errors="replace").strip()
        cause, is_unreceived = failure_from_text(text, self._has_answered)
        owner, self._owner = self._owner, None
        self.fail(cause)
        if owner is not None:
            owner.stream_failed(cause, is_unreceived)

    def _send_ping(self) -> None:
        self._framing.ping()

    def _goodbye(self) -> None:
        self._framing.close()

    def _lost(self, cause: LlmgwError) -> None:
        """No way to prove what the pod has read: nothing is accepted in words here."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.stream_failed(cause, False)

    def _pause_sources(self) -> None:
        if self._owner is not None:
            self._owner.pause_sending()

    def _resume_sources(self) -> None:
        if self._owner is not None:
            self._owner.resume_sending()
