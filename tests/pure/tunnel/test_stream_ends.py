"""What the peer's frames mean for a stream: ended, failed, and whether anybody received it."""

from __future__ import annotations

import asyncio

import pytest

from llmgwctl.wire import ConditionKind
from llmgwd.protocol import spdy
from llmgwd.tunnel.spdy.pressure import SHARED_GRACE_S
from llmgwd.tunnel.spdy.streams import VERDICT_GRACE_S
from llmgwd.tunnel.stream import failure_from_text
from support.relay.tunnel_peer import Peer

pytestmark = pytest.mark.anyio

REFUSED = (
    "error forwarding port 4000 to pod litellm-0, uid u: failed to execute portforward in network "
    'namespace "/run/netns/cni-1": failed to connect to localhost:4000 inside namespace "x": '
    "dial tcp4 127.0.0.1:4000: connect: connection refused"
)
BROKEN = (
    "error forwarding port 4000 to pod litellm-0, uid u: error copying from local connection to "
    "remote stream: read tcp4 127.0.0.1:51234->127.0.0.1:4000: read: connection reset by peer"
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_pair_of_streams_and_the_first_bytes_leave_together() -> None:
    peer = Peer()
    owner = peer.open()

    error, data, first = await peer.heard()
    headers = {"port": "4000", "requestid": "1"}
    assert error == spdy.SynStream(1, headers | {"streamtype": "error"}, fin=True)
    assert data == spdy.SynStream(3, headers | {"streamtype": "data"}, fin=False)
    assert first == spdy.Data(3, owner.unsent(None), fin=False)


async def test_a_reset_before_the_syn_reply_was_received_by_nobody() -> None:
    peer = Peer()
    owner = peer.open()

    peer.reset()

    assert owner.fate == "unreceived"


async def test_a_reset_after_the_syn_reply_may_have_been_received() -> None:
    peer = Peer()
    owner = peer.open()

    peer.accept()
    peer.reset()

    assert owner.fate == "failed"


@pytest.mark.parametrize("is_reset_first", [True, False])
async def test_a_dial_error_is_believed_in_whatever_order_it_comes(is_reset_first: bool) -> None:
    peer = Peer()
    owner = peer.open()
    peer.accept()

    text = spdy.data_frame(1, REFUSED.encode(), fin=True)
    reset = peer.encoder.rst_stream(3, spdy.STATUS_CANCEL)
    for frame in (reset, text) if is_reset_first else (text, reset):
        peer.say(frame)

    assert owner.fate == "unreceived"
    assert owner.cause is not None
    assert owner.cause.code == ConditionKind.DIAL_REFUSED


async def test_a_pod_that_ends_without_a_verdict_has_ended_after_a_grace() -> None:
    peer = Peer()
    owner = peer.open()
    peer.accept()

    peer.say(spdy.data_frame(3, b"", fin=True))
    assert owner.fate == ""

    await asyncio.wait_for(owner.is_over.wait(), 20 * VERDICT_GRACE_S)
    assert owner.fate == "ended"


async def test_a_connection_that_broke_later_is_never_taken_for_a_dial_error() -> None:
    peer = Peer()
    owner = peer.open()
    peer.accept()

    peer.say(spdy.data_frame(1, BROKEN.encode(), fin=True), spdy.data_frame(3, b"", fin=True))

    assert owner.fate == "failed"


async def test_a_goodbye_gives_back_what_was_not_accepted_and_lets_the_rest_end() -> None:
    peer = Peer()
    accepted, late = peer.open(), peer.open()
    peer.accept()

    peer.say(peer.encoder.goaway(3))
    assert (accepted.fate, late.fate) == ("", "unreceived")
    assert peer.tunnel.is_draining

    fins = [spdy.data_frame(number, b"last" * (number == 3), fin=True) for number in (3, 1)]
    peer.say(*fins)
    assert (accepted.received, accepted.fate) == (b"last", "ended")


async def test_bytes_that_are_not_spdy_end_the_tunnel_and_its_streams() -> None:
    peer = Peer()
    accepted, late = peer.open(), peer.open()
    peer.accept()

    peer.say(b"HTTP/1.1 502 Bad Gateway\r\n\r\n".replace(b"H", b"\x80", 1))

    assert peer.tunnel.is_closed
    assert not peer.wire.is_open
    assert (accepted.fate, late.fate) == ("failed", "unreceived")


async def test_the_peers_pings_are_answered_and_its_streams_refused() -> None:
    peer = Peer()

    peer.say(peer.encoder.ping(2), peer.encoder.syn_stream(2, {}), peer.encoder.ping(3))

    heard = await peer.heard()
    assert heard == [spdy.Ping(2), spdy.RstStream(2, spdy.STATUS_REFUSED_STREAM)]


@pytest.mark.parametrize("is_given_up", [True, False])
async def test_a_silent_tunnel_proves_nothing_about_what_was_received(is_given_up: bool) -> None:
    peer = Peer()
    owner = peer.open()
    now = asyncio.get_running_loop().time()
    peer.tunnel.ping(now)
    peer.tunnel.check(now + 60.0)
    assert peer.tunnel.liveness.is_silent
    assert owner.fate == ""

    if is_given_up:
        peer.tunnel.condemn(now + 60.0)
    else:
        peer.tunnel.connection_lost(ConnectionResetError())

    assert owner.fate == "failed"


async def test_a_tunnel_that_is_heard_again_goes_on() -> None:
    peer = Peer()
    owner = peer.open()
    now = asyncio.get_running_loop().time()
    peer.tunnel.ping(now)
    peer.tunnel.check(now + 60.0)

    peer.accept()

    assert not peer.tunnel.liveness.is_silent
    assert not peer.tunnel.is_doubted
    assert owner.fate == ""


async def test_an_idle_tunnel_that_falls_silent_is_closed() -> None:
    peer = Peer()
    now = asyncio.get_running_loop().time()
    peer.tunnel.ping(now)

    peer.tunnel.check(now + 60.0)

    assert peer.tunnel.is_closed


async def test_bytes_of_a_stream_that_is_gone_touch_nobody() -> None:
    peer = Peer()
    gone, neighbour = peer.open(), peer.open()
    peer.accept()
    peer.accept(5)
    assert gone.stream is not None
    gone.stream.reset()

    peer.say(spdy.data_frame(3, b"for nobody"), spdy.data_frame(7, b"for the neighbour"))

    assert (gone.received, neighbour.received) == (b"", b"for the neighbour")
    assert not peer.tunnel.is_closed


@pytest.mark.parametrize("has_answered", [True, False])
def test_only_a_dial_error_before_the_first_byte_proves_anything(has_answered: bool) -> None:
    assert failure_from_text(REFUSED, has_answered, "p")[1] is not has_answered
    assert failure_from_text(BROKEN, has_answered, "p")[1] is False


async def test_a_stalled_reader_is_not_cut_for_a_stream_that_no_one_waits_for() -> None:
    peer = Peer()
    ending, stalled = peer.open(), peer.open()
    peer.accept()
    peer.accept(5)
    assert ending.stream is not None
    assert stalled.stream is not None
    ending.stream.discard()

    stalled.stream.pause()
    peer.say(spdy.data_frame(7, bytes(100_000)))
    await asyncio.sleep(2 * SHARED_GRACE_S)

    assert peer.tunnel.is_read_paused
    assert stalled.fate == ""


async def test_an_end_is_reported_once_even_if_the_tunnel_is_lost_right_after() -> None:
    peer = Peer()
    owner = peer.open()
    peer.accept()

    peer.say(spdy.data_frame(3, b"all", fin=True))
    peer.tunnel.connection_lost(ConnectionResetError())

    assert owner.received == b"all"
    assert owner.fates == ["ended"]
