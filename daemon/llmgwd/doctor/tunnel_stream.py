"""A byte stream to a pod through a tunnel of its own, for questions the doctor asks itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from llmgwd.cluster.upgrade import upgrade
from llmgwd.tunnel.dial_probe import yes_after_s
from llmgwd.tunnel.stream import OwnStream
from llmgwd.tunnel.tunnel import Tunnel

if TYPE_CHECKING:
    from llmgwctl.wire import UpgradeKind
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.errors import LlmgwError


_LOOK_EVERY_S: Final = 0.01


class TunnelConversation(OwnStream):
    """The owner of one stream: what comes can be read, what is written is sent."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()

    def write(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.send(data)

    # As the owner of a stream.

    def stream_data(self, payload: bytes) -> None:
        self.reader.feed_data(payload)

    def stream_ended(self) -> None:
        self.reader.feed_eof()

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool) -> None:
        self._stream = None
        self.reader.set_exception(cause)


@asynccontextmanager
async def open_tunnel(
    access: ClusterAccess, endpoint: Endpoint, way: UpgradeKind
) -> AsyncIterator[Tunnel]:
    """Upgrade to a pod in one way; the tunnel is closed at the end.

    Raises:
        as `upgrade`.
    """
    upgraded = await upgrade(access, endpoint, way)
    tunnel = Tunnel(endpoint, way, lambda _: None)
    tunnel.adopt(upgraded)
    try:
        yield tunnel
    finally:
        tunnel.close()


async def require_listener(tunnel: Tunnel) -> None:
    """Open a stream to the pod's port and see that it is not refused; not one byte is sent.

    The time for a refusal begins when the peer was heard: before that, the way there is slow.

    Raises:
        Transient: the pod refused it.
    """
    reader, conversation = converse(tunnel)
    try:
        tunnel.ping(asyncio.get_running_loop().time())
        # No event reports a tunnel's first byte.
        while tunnel.liveness.asked_at is not None and reader.exception() is None:  # noqa: ASYNC110
            await anyio.sleep(_LOOK_EVERY_S)
        with anyio.move_on_after(yes_after_s(tunnel)):
            await reader.read(1)
    finally:
        conversation.close()


def converse(tunnel: Tunnel) -> tuple[asyncio.StreamReader, TunnelConversation]:
    """Open a stream; the second of the pair writes to it and closes it.

    By v4 channels a pod is dialled at the upgrade: its refusal may have ended the tunnel before.
    The stream then fails as it would have a moment later.
    """
    conversation = TunnelConversation()
    if tunnel.end_cause is None:
        tunnel.open(conversation)
    else:
        conversation.stream_failed(tunnel.end_cause, is_unreceived=True)
    return conversation.reader, conversation
