"""The pool of tunnels on a virtual clock: what wakes it, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import anyio
import pytest
from virtual_clock import VirtualLoop, run

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.cluster.target.pods import Endpoint
from llmgwd.cluster.upgrade import Upgraded
from llmgwd.errors import LlmgwError, Transient
from llmgwd.protocol import spdy, websocket
from llmgwd.system.backoff import CLUSTER_WAIT
from llmgwd.tunnel.demand import WARM_AT_REST, WARM_IN_USE
from llmgwd.tunnel.liveness import PING_EVERY_S, SILENT_AFTER_S
from llmgwd.tunnel.pool import TEND_EVERY_S, TunnelPool
from support.relay.tunnel_peer import Owner, Wire

if TYPE_CHECKING:
    from llmgwd.relay.route_events import RouteEvent

POD = Endpoint("litellm", "litellm-0", "u", 4000)
ROUND_TRIP_S = 0.04
DIAL_S = 0.16


class Server(Wire):
    """The other end of a tunnel: accepts streams, answers pings, and notes when they came."""

    def __init__(self, way: UpgradeKind) -> None:
        super().__init__()
        self.is_alive = True
        self.pinged_at: list[float] = []
        self._way = way
        self._loop = asyncio.get_running_loop()
        self._encoder, self._decoder = spdy.Encoder(), spdy.Decoder()
        self._tunnel: asyncio.BufferedProtocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._tunnel = cast("asyncio.BufferedProtocol", protocol)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_alive:
            self._loop.call_later(ROUND_TRIP_S, self._answer, bytes(data))

    def _answer(self, data: bytes) -> None:
        if self._way is UpgradeKind.CHANNELS:
            if data[0] == 0x80 | websocket.Opcode.PING:
                self._note_ping()
                self._say(bytes((0x80 | websocket.Opcode.PONG, 0)))
            return
        for frame in self._decoder.feed(data):
            if isinstance(frame, spdy.Ping):
                self._note_ping()
                self._say(self._encoder.ping(frame.ping_id))
            elif isinstance(frame, spdy.SynStream):
                self._say(self._encoder.syn_reply(frame.stream_id))
            elif isinstance(frame, spdy.Data) and frame.fin:
                for stream_id in (frame.stream_id, frame.stream_id - 2):
                    self._say(spdy.data_frame(stream_id, b"", fin=True))

    def _note_ping(self) -> None:
        self.pinged_at.append(round(self._loop.time() - ROUND_TRIP_S, 3))

    def _say(self, raw: bytes) -> None:
        if self.is_open:
            self._tunnel.get_buffer(len(raw))[: len(raw)] = raw
            self._tunnel.buffer_updated(len(raw))


class Probe(Owner):
    is_demand = False


class Route:
    """The pool's owner and its cluster."""

    def __init__(self, way: UpgradeKind = UpgradeKind.SPDY, limit: int = 64) -> None:
        self.way = way
        self.servers: list[Server] = []
        self.news: list[tuple[str, float]] = []
        self.error: LlmgwError | None = None
        self.dialled_at: list[float] = []
        self.loop = cast("VirtualLoop", asyncio.get_running_loop())
        self.pool = TunnelPool(self._dial, self, self, CLUSTER_WAIT, lambda: False, limit)

    async def _dial(self, endpoint: Endpoint) -> Upgraded:
        self.dialled_at.append(self.loop.time())
        await anyio.sleep(DIAL_S)
        if self.error is not None:
            raise self.error
        server = Server(self.way)
        self.servers.append(server)
        return Upgraded(server, b"", self.way)

    def open(self, owner: Owner | None = None) -> Owner:
        owner = owner or Owner()
        self.pool.open(owner)
        return owner

    # As the owner of the pool.

    def up(self) -> None:
        self.news.append(("up", self.loop.time()))

    def down(self, cause: LlmgwError) -> None:
        self.news.append((cause.code, self.loop.time()))

    def changed(self) -> None: ...

    def record(self, event: RouteEvent) -> None: ...


def with_route(
    claim: Callable[[Route], Awaitable[None]],
    way: UpgradeKind = UpgradeKind.SPDY,
    limit: int = 64,
) -> None:
    """Run a test with a pool that has its tunnels warm."""

    async def main() -> None:
        route = Route(way, limit)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(route.pool.run)
            route.pool.set_endpoints([POD])
            await anyio.sleep(1.0)
            await claim(route)
            tasks.cancel_scope.cancel()

    run(main)


@pytest.mark.parametrize("way", [UpgradeKind.SPDY, UpgradeKind.CHANNELS])
def test_an_idle_pool_wakes_once_a_period_and_for_its_pongs(way: UpgradeKind) -> None:
    async def claim(route: Route) -> None:
        assert route.pool.counts()["idle"] == WARM_AT_REST
        await anyio.sleep(20.0)
        before = route.loop.wakeups
        await anyio.sleep(60 * PING_EVERY_S)

        # The ping leaves, it arrives (in this same loop), and the pong is read: no tick besides.
        assert route.loop.wakeups - before <= 60 * 3 + 2

    with_route(claim, way)


def test_tunnels_dialled_at_different_times_come_to_be_pinged_together() -> None:
    async def claim(route: Route) -> None:
        await anyio.sleep(1.3)
        for _ in range(WARM_IN_USE):
            route.open()
            await anyio.sleep(0.7)
        await anyio.sleep(10 * PING_EVERY_S)
        since = route.loop.time()
        await anyio.sleep(5 * PING_EVERY_S)

        pinged = [
            {at for at in server.pinged_at if at > since}
            for server in route.servers
            if server.is_open
        ]
        assert len(pinged) > WARM_IN_USE
        assert all(each == pinged[0] for each in pinged)
        assert 4 <= len(pinged[0]) <= 5

    with_route(claim)


def test_a_dead_path_is_found_by_ping_and_reported_within_ten_seconds() -> None:
    async def claim(route: Route) -> None:
        await anyio.sleep(60.0)
        died_at = route.loop.time()
        route.error = Transient(ConditionKind.API_SERVER_UNREACHABLE, "No route to host.")
        for server in route.servers:
            server.is_alive = False
        await anyio.sleep(15.0)

        (_, (code, at)) = route.news
        assert code in (ConditionKind.TUNNEL_SILENT, ConditionKind.API_SERVER_UNREACHABLE)
        most_s = PING_EVERY_S + SILENT_AFTER_S + DIAL_S + 2 * TEND_EVERY_S
        assert 0 < at - died_at <= most_s <= 10.0

    with_route(claim)


def test_streams_on_warm_tunnels_wake_the_pool_no_oftener_than_replies_can_be_late() -> None:
    async def claim(route: Route) -> None:
        rounds = 0
        wait = route.pool._wait_for_news

        async def counted(not_before: float) -> None:
            nonlocal rounds
            rounds += 1
            await wait(not_before)

        for _ in range(WARM_IN_USE):
            route.open()
        await anyio.sleep(5.0)
        route.pool._wait_for_news = counted  # type: ignore[method-assign]
        for _ in range(500):
            owner = route.open()
            await anyio.sleep(0.01)
            assert owner.stream is not None
            owner.stream.discard()

        # Five seconds of a hundred streams each.
        assert rounds <= 60

    with_route(claim)


def test_a_late_reply_makes_the_next_stream_wait_at_the_instant_it_is_late() -> None:
    async def claim(route: Route) -> None:
        for server in route.servers:
            server.is_alive = False
        route.open()
        await anyio.sleep(0.45)
        assert not any(tunnel.is_doubted for tunnel in route.pool._tunnels)

        await anyio.sleep(0.25)
        doubted = [t for t in route.pool._tunnels if t.is_doubted]
        assert doubted

    with_route(claim)


def test_an_owner_that_waits_shares_when_its_patience_ends() -> None:
    async def claim(route: Route) -> None:
        first = route.open()
        route.error = Transient(ConditionKind.UPGRADE_REFUSED, "No.")
        second = route.open()
        third = route.open()
        assert first.stream is not None
        assert second.stream is not None
        assert third.stream is None

        await anyio.sleep(0.24)
        assert third.stream is None
        await anyio.sleep(0.02 + TEND_EVERY_S)
        assert third.stream is not None

    with_route(claim)


def test_past_the_cap_the_probe_still_gets_a_tunnel_of_its_own() -> None:
    limit = 3

    async def claim(route: Route) -> None:
        for _ in range(2 * limit):
            route.open()
            await anyio.sleep(1.0)
        assert sorted(tunnel.load for tunnel in route.pool._tunnels) == [2, 2, 2]
        probe = route.open(Probe())
        await anyio.sleep(1.0)

        assert probe.stream is not None
        loads = sorted(tunnel.load for tunnel in route.pool._tunnels)
        assert loads == [1, 2, 2, 2]

        # When it is done the tunnel is closed, and the next one has its place again.
        probe.stream.discard()
        await anyio.sleep(5.0)
        assert len(route.pool._tunnels) == limit
        again = route.open(Probe())
        await anyio.sleep(1.0)
        assert again.stream is not None
        assert len(route.pool._tunnels) == limit + 1

    with_route(claim, limit=limit)


def test_the_daemons_own_questions_dial_no_tunnels() -> None:
    async def claim(route: Route) -> None:
        await anyio.sleep(60.0)
        for _ in range(10):
            probe = route.open(Probe())
            await anyio.sleep(1.0)
            assert probe.stream is not None
            probe.stream.discard()
            await anyio.sleep(9.0)

        assert len(route.dialled_at) == WARM_AT_REST
        assert route.pool.counts()["idle"] == WARM_AT_REST

    with_route(claim)


def test_beyond_the_cap_no_client_gets_a_tunnel_of_its_own() -> None:
    async def claim(route: Route) -> None:
        for _ in range(40):
            route.open()
            await anyio.sleep(0.1)

        assert len(route.servers) == 3

    with_route(claim, limit=3)


def test_tunnels_of_one_request_each_are_dialled_ahead() -> None:
    async def claim(route: Route) -> None:
        route.open()
        await anyio.sleep(1.0)
        for _ in range(20):
            owner = route.open()
            assert owner.stream is not None
            await anyio.sleep(0.1)

        await anyio.sleep(1.0)
        assert route.pool.counts()["idle"] == WARM_IN_USE

    with_route(claim, UpgradeKind.CHANNELS)


def test_after_a_minute_without_clients_the_surplus_goes_without_a_tick() -> None:
    async def claim(route: Route) -> None:
        owner = route.open()
        await anyio.sleep(5.0)
        assert owner.stream is not None
        owner.stream.reset()
        assert len(route.pool._tunnels) == WARM_IN_USE
        await anyio.sleep(54.0)
        assert len(route.pool._tunnels) == WARM_IN_USE
        await anyio.sleep(2.0)

        assert len(route.pool._tunnels) == WARM_AT_REST

    with_route(claim)
