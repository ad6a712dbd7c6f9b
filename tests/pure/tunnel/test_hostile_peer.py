"""A peer that floods its tunnel: the tunnel is closed with a reason, and its neighbours go on."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwctl.wire import UpgradeKind
from llmgwd.cluster.target.pods import Endpoint
from llmgwd.cluster.upgrade import Upgraded
from llmgwd.errors import ProtocolError
from llmgwd.protocol import spdy, spdy_headers
from llmgwd.protocol.budget import FRAMES_A_TURN
from llmgwd.tunnel.tunnel import OWED_REPLIES_BYTES, Tunnel
from support.relay.tunnel_peer import Owner, Peer, Wire

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def many_headers() -> bytes:
    deflate = zlib.compressobj(zdict=spdy_headers.DICTIONARY)
    block = deflate.compress(struct.pack(">I", 131_071) + bytes(8 * 131_071))
    body = struct.pack(">I", 3) + block + deflate.flush(zlib.Z_SYNC_FLUSH)
    return struct.pack(">HHI", 0x8003, spdy.SYN_REPLY, len(body)) + body


FLOODS: dict[str, Callable[[], bytes]] = {
    "pings": lambda: spdy.Encoder().ping(2) * 10_000,
    "pongs": lambda: spdy.Encoder().ping(1) * 10_000,
    "resets": lambda: spdy.Encoder().rst_stream(3, 1) * 10_000,
    "empty frames": lambda: spdy.data_frame(3, b"") * 10_000,
    "a block of empty headers": many_headers,
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_ends_its_tunnel_and_no_other(flood: str) -> None:
    hostile, neighbour = Peer(), Peer()
    victim, bystander = hostile.open(), neighbour.open()
    hostile.accept()
    neighbour.accept()

    hostile.say(FLOODS[flood]())
    for _ in range(10):
        await asyncio.sleep(0)
    neighbour.say(spdy.data_frame(3, b"fine"))

    assert hostile.tunnel.is_closed
    assert isinstance(hostile.tunnel.end_cause, ProtocolError)
    assert victim.fate == "failed"
    assert not neighbour.tunnel.is_closed
    assert bystander.received == b"fine"


@pytest.mark.parametrize("way", [UpgradeKind.WEBSOCKET, UpgradeKind.CHANNELS])
async def test_a_peer_that_pings_and_reads_no_answer_is_cut(way: UpgradeKind) -> None:
    peer = Peer()
    tunnel = Tunnel(Endpoint("litellm", "litellm-0", "u", 4000), way, lambda _: None)
    tunnel.adopt(Upgraded(peer.wire, b"", way))
    tunnel.pause_writing()
    ping = b"\x89\x7d" + bytes(125)

    said = 0
    while not tunnel.is_closed:
        tunnel.get_buffer(len(ping))[: len(ping)] = ping
        tunnel.buffer_updated(len(ping))
        said += 1

    assert isinstance(tunnel.end_cause, ProtocolError)
    assert "reads no answer" in tunnel.end_cause.message
    assert len(peer.wire.written) <= OWED_REPLIES_BYTES + 131
    assert said <= OWED_REPLIES_BYTES // 131 + 1


async def test_replies_count_only_while_they_wait() -> None:
    tunnel = Peer().tunnel
    for _ in range(10):
        tunnel.pause_writing()
        tunnel.reply(OWED_REPLIES_BYTES)
        with pytest.raises(ProtocolError):
            tunnel.reply(1)
        tunnel.resume_writing()


async def test_tiny_frames_of_one_read_are_spread_over_turns_and_all_arrive() -> None:
    peer = Peer()
    owner = peer.open()
    peer.accept()
    count = 2 * FRAMES_A_TURN + 5

    # One read's worth, alternating so that no two pieces can be joined.
    peer.say(b"".join(spdy.data_frame(3 if i % 2 else 9, b"%d," % (i % 10)) for i in range(count)))
    first = len(owner.received)
    assert 0 < first <= 2 * FRAMES_A_TURN
    # What the network brings meanwhile stays behind what is left over.
    peer.say(spdy.data_frame(3, b"end"))
    for _ in range(5):
        await asyncio.sleep(0)

    expected = b"".join(b"%d," % (i % 10) for i in range(count) if i % 2)
    assert owner.received == expected + b"end"


async def test_a_thousand_streams_at_once_are_within_the_budget() -> None:
    """What we asked for is paid for: replies, ends and resets of our own streams."""
    peer = Peer()
    owners = [peer.open() for _ in range(1000)]

    for number in range(1000):
        peer.accept(4 * number + 1)
    for number in range(1000):
        fins = (spdy.data_frame(4 * number + each, b"", fin=True) for each in (1, 3))
        peer.say(*fins)

    assert not peer.tunnel.is_closed
    assert {owner.fate for owner in owners} == {"ended"}


# Heads that are near to valid reach further than noise does; the ids are those of open streams.
NEAR_FRAMES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda kind, flags, stream_id, rest: (
            struct.pack(">HHII", 0x8003, kind, flags << 24 | 4 + len(rest), stream_id) + rest
        ),
        st.integers(0, 10),
        st.integers(0, 3),
        st.integers(0, 9),
        st.binary(max_size=20),
    ),
    st.builds(spdy.data_frame, st.integers(1, 9), st.binary(max_size=30), st.booleans()),
    st.builds(lambda stream_id: spdy.Encoder().rst_stream(stream_id, 1), st.integers(1, 9)),
    st.builds(lambda stream_id: spdy.Encoder().goaway(stream_id), st.integers(0, 9)),
)


@given(st.sampled_from(UpgradeKind), st.lists(NEAR_FRAMES, max_size=12), st.booleans())
def test_whatever_a_peer_sends_every_owner_learns_its_fate_once(
    way: UpgradeKind, said: list[bytes], is_wrapped: bool
) -> None:
    async def meet() -> None:
        wire = Wire()
        tunnel = Tunnel(Endpoint("litellm", "litellm-0", "u", 4000), way, lambda _: None)
        tunnel.adopt(Upgraded(wire, b"", way))
        owners = [Owner() for _ in range(1 if way is UpgradeKind.CHANNELS else 2)]
        for owner in owners:
            tunnel.open(owner)
        for raw in said:
            if is_wrapped and way is not UpgradeKind.SPDY:
                raw = bytes((0x82, len(raw))) + raw
            if not tunnel.is_closed:
                tunnel.get_buffer(len(raw))[: len(raw)] = raw
                tunnel.buffer_updated(len(raw))
        tunnel.connection_lost(None)
        await asyncio.sleep(0)

        assert all(len(owner.fates) == 1 for owner in owners)

    asyncio.run(meet())
