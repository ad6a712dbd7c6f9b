"""Raw SPDY/3.1 on an upgraded connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from llmgwsim.portforward.spdy import SpdySession

if TYPE_CHECKING:
    from llmgwsim.portforward.target import Target


class RawSpdy(asyncio.Protocol):
    """Raw SPDY/3.1 on an upgraded connection."""

    def __init__(self, target: Target, closed: Callable[[], None]) -> None:
        self.session = SpdySession(self, target)
        self._closed = closed
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.session.received(data)

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.session.lost()
        self._closed()

    def pause_writing(self) -> None:
        self.session.pause_writing()

    def resume_writing(self) -> None:
        self.session.resume_writing()

    def write_frames(self, frames: list[bytes | memoryview]) -> None:
        self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def close(self) -> None:
        self._transport.close()
