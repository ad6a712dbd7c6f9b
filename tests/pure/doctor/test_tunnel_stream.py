"""The doctor's own stream to a pod."""

from __future__ import annotations

import pytest

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.cluster.target.pods import Endpoint
from llmgwd.cluster.upgrade import Upgraded
from llmgwd.doctor.tunnel_stream import require_listener
from llmgwd.errors import Transient
from llmgwd.protocol import channels
from llmgwd.tunnel.tunnel import Tunnel
from support.relay.tunnel_peer import Wire

PORT = 4000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def said(channel: int, payload: bytes) -> bytes:
    """A binary frame of the API server."""
    return bytes((0x82, 1 + len(payload), channel)) + payload


@pytest.mark.anyio
async def test_a_refusal_that_came_with_the_upgrade_is_a_refusal() -> None:
    greetings = [said(each, PORT.to_bytes(2, "little")) for each in (channels.DATA, channels.ERROR)]
    text = b"error forwarding port 4000 to pod 7d1, uid : dial tcp4: connect: connection refused"
    goodbye = b"\x88\x02" + (1000).to_bytes(2, "big")
    leftover = b"".join((*greetings, said(channels.ERROR, text), goodbye))
    tunnel = Tunnel(
        Endpoint("litellm", "litellm-0", "u", PORT), UpgradeKind.CHANNELS, lambda _: None
    )

    tunnel.adopt(Upgraded(Wire(), leftover, UpgradeKind.CHANNELS))

    with pytest.raises(Transient) as refused:
        await require_listener(tunnel)
    assert refused.value.code == ConditionKind.DIAL_REFUSED
