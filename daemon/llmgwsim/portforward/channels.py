"""v4 channels: one WebSocket, one connection to the pod a port, dialled at the upgrade.

Channel `2i` is data and `2i+1` error for port index i. Closing the WebSocket is the only end
either side can signal.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmgwsim.portforward.forwarding import DialFailed, Forwarding
from llmgwsim.portforward.spdy import MAX_FRAME_BYTES, SpdySession
from llmgwsim.portforward.websocket import WebSocketServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwsim.portforward.target import Target

# Seen between the error text and the close.
CLOSE_AFTER_S = 0.003


class _Port:
    """One port of the upgrade: the client's end of its forwarding."""

    def __init__(self, session: ChannelSession, index: int, number: int) -> None:
        self._session = session
        self._data_channel = bytes((2 * index,))
        self._error_channel = bytes((2 * index + 1,))
        self.number = number
        self.forwarding = Forwarding(self)

    def announce(self) -> None:
        port = self.number.to_bytes(2, "little")
        self._session.send_message(self._data_channel, port)
        self._session.send_message(self._error_channel, port)

    def fail(self, text: str) -> None:
        self._session.send_message(self._error_channel, text.encode())

    def pod_sent(self, piece: memoryview) -> None:
        for at in range(0, len(piece), MAX_FRAME_BYTES):
            part = piece[at : at + MAX_FRAME_BYTES]
            self._session.send_message(self._data_channel, part)

    def pod_takes_more(self) -> None:
        self._session.pod_takes_more()

    def forwarding_ended(self, was_reset: bool) -> None:
        self._session.send_close()


class ChannelSession(WebSocketServer):
    """One v4 upgrade."""

    session: SpdySession | None = None

    def __init__(self, target: Target, ports: tuple[int, ...], closed: Callable[[], None]) -> None:
        super().__init__(closed)
        self._target = target
        self._ports = [_Port(self, index, number) for index, number in enumerate(ports)]
        self._channel = 0
        self._waiting: list[tuple[int, bytes]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        for port in self._ports:
            port.announce()
            task = asyncio.get_running_loop().create_task(self._dial(port))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _dial(self, port: _Port) -> None:
        target = self._target
        try:
            await port.forwarding.dial(target.pod(), port.number, target.uid)
        except DialFailed as failure:
            port.fail(target.failure(port.number, str(failure)))
            await asyncio.sleep(CLOSE_AFTER_S)
            self.send_close()

    def piece_received(self, piece: bytearray, is_start: bool, is_end: bool) -> None:
        if is_start and piece:
            self._channel = piece[0]
            del piece[:1]
        index, is_error = divmod(self._channel, 2)
        # The client writes on data channels alone; a text message's first byte is no channel.
        if is_error or index >= len(self._ports) or not piece:
            return
        self._waiting.append((index, bytes(piece)))
        self.pod_takes_more()

    def pod_takes_more(self) -> None:
        """Hand on what waits, in order: a port that takes nothing holds up the whole WebSocket."""
        while self._waiting:
            index, piece = self._waiting[0]
            forwarding = self._ports[index].forwarding
            if not forwarding.takes_more and not forwarding.is_finished:
                self.transport.pause_reading()
                return
            forwarding.write(piece)
            self._waiting.pop(0)
        self.transport.resume_reading()

    def client_lost(self) -> None:
        for port in self._ports:
            port.forwarding.client_gone()
        for task in self._tasks:
            task.cancel()

    def pause_writing(self) -> None:
        for port in self._ports:
            port.forwarding.pause_reading(True)

    def resume_writing(self) -> None:
        for port in self._ports:
            port.forwarding.pause_reading(False)

    def close(self) -> None:
        self.send_close()
