"""Which tunnel carries the next stream."""

from __future__ import annotations

import asyncio

import pytest

from llmgwd.tunnel import tunnel_choice
from support.relay.tunnel_peer import Owner, Peer

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def chosen(
    peers: list[Peer], preferred: str | None = None, avoided: str | None = None, share: bool = False
) -> str | None:
    """Return the pod whose tunnel was chosen."""
    owner = Owner()
    owner.preferred_pod, owner.avoided_pod = preferred, avoided
    now = asyncio.get_running_loop().time()
    tunnels = [peer.tunnel for peer in peers]
    tunnel = tunnel_choice.survey(tunnels, (), now, owner).best(owner, may_share=share)
    return None if tunnel is None else tunnel.endpoint.pod


async def test_among_equals_the_pod_of_the_last_request_is_preferred() -> None:
    peers = [Peer("a"), Peer("b"), Peer("c")]

    assert chosen(peers, preferred="b") == "b"
    assert chosen(peers, preferred="gone") == "a"


async def test_a_busier_pod_is_not_preferred() -> None:
    peers = [Peer("a"), Peer("b"), Peer("b")]
    peers[1].open()

    assert chosen(peers, preferred="b") == "a"


async def test_a_pod_that_failed_is_avoided_even_at_the_price_of_sharing() -> None:
    peers = [Peer("a"), Peer("b")]
    assert chosen(peers, avoided="a") == "b"

    peers[1].open()
    assert chosen(peers, avoided="a") == "b"


async def test_a_pod_that_failed_is_taken_where_there_is_no_other() -> None:
    peers = [Peer("a"), Peer("a")]
    peers[0].open()

    assert chosen(peers, avoided="a") == "a"


async def test_a_tunnel_in_use_is_shared_only_where_sharing_is_allowed() -> None:
    peers = [Peer("a"), Peer("b")]
    for peer in (peers[0], peers[0], peers[1]):
        peer.open()

    assert chosen(peers) is None
    assert chosen(peers, share=True) == "b"


async def test_a_tunnel_without_any_stream_comes_before_one_whose_stream_is_ending() -> None:
    ending, idle = Peer("a"), Peer("a")
    owner = ending.open()
    assert owner.stream is not None
    owner.stream.discard()
    now = asyncio.get_running_loop().time()

    seen = tunnel_choice.survey([ending.tunnel, idle.tunnel], (), now)

    assert seen.unused is idle.tunnel
    assert seen.ready == 2
