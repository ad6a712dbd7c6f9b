"""A tunnel whose other end is in the test's hands: no network, frames in and frames out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmgwctl.wire import UpgradeKind
from llmgwd.cluster.target.pods import Endpoint
from llmgwd.cluster.upgrade import Upgraded
from llmgwd.protocol import spdy
from llmgwd.tunnel.tunnel import Tunnel

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.route import Stream


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_open = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return not self.is_open

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        self.is_open = False

    def abort(self) -> None:
        self.is_open = False


class Owner:
    """Notes what becomes of its stream."""

    is_demand = True
    preferred_pod: str | None = None
    avoided_pod: str | None = None

    def __init__(self) -> None:
        self.fates: list[str] = []
        self.is_over = asyncio.Event()
        self.cause: LlmgwError | None = None
        self.received = b""
        self.stream: Stream | None = None

    @property
    def fate(self) -> str:
        return self.fates[-1] if self.fates else ""

    def unsent(self, pod: str | None) -> bytes:
        return b"GET / HTTP/1.1\r\n\r\n"

    def stream_opened(self, stream: Stream) -> None:
        self.stream = stream

    def stream_data(self, payload: bytes) -> None:
        self.received += payload

    def stream_ended(self) -> None:
        self.fates.append("ended")
        self.is_over.set()

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool) -> None:
        self.fates.append("unreceived" if is_unreceived else "failed")
        self.cause = cause

    def unread_bytes(self) -> int:
        return 0

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...


class Peer:
    """A tunnel, and the server's side of it in frames. The first stream's ids are 1 and 3."""

    def __init__(self, pod: str = "litellm-0") -> None:
        self.wire = Wire()
        self.encoder = spdy.Encoder()
        self.tunnel = Tunnel(Endpoint("litellm", pod, "u", 4000), UpgradeKind.SPDY, _ignore)
        self.tunnel.adopt(Upgraded(self.wire, b"", UpgradeKind.SPDY))

    def open(self) -> Owner:
        owner = Owner()
        self.tunnel.open(owner)
        return owner

    def say(self, *frames: bytes) -> None:
        said = b"".join(frames)
        self.tunnel.get_buffer(len(said))[: len(said)] = said
        self.tunnel.buffer_updated(len(said))

    def accept(self, first_id: int = 1) -> None:
        self.say(self.encoder.syn_reply(first_id), self.encoder.syn_reply(first_id + 2))

    def reset(self, first_id: int = 1) -> None:
        cancel = spdy.STATUS_CANCEL
        self.say(self.encoder.rst_stream(first_id + 2, cancel))
        self.say(self.encoder.rst_stream(first_id, cancel))

    async def heard(self) -> list[spdy.Frame]:
        """What we said so far."""
        await asyncio.sleep(0)
        return spdy.Decoder().feed(self.wire.written)


def _ignore(_: object) -> None: ...
