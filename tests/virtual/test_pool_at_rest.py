"""The pool of tunnels while no one uses it: what it still does, and how rarely."""

from __future__ import annotations

import anyio
import pytest
from pool_route import DIAL_S, ROUND_TRIP_S, Probe, Route, with_route

from llmgwctl.wire import UpgradeKind
from llmgwd.tunnel.demand import UNUSED_AFTER_S, WARM_AT_REST, WARM_IN_USE
from llmgwd.tunnel.liveness import PING_EVERY_S, UNUSED_PING_EVERY_S
from llmgwd.tunnel.pool import TEND_EVERY_S


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


def test_after_an_hour_without_clients_pings_are_rare_and_the_next_client_is_not_fooled() -> None:
    async def claim(route: Route) -> None:
        owner = route.open()
        await anyio.sleep(1.0)
        assert owner.stream is not None
        owner.stream.reset()
        since = route.loop.time()
        await anyio.sleep(UNUSED_AFTER_S + UNUSED_PING_EVERY_S)
        for server in route.servers:
            usual, rare = (
                [at for at in server.pinged_at if since + begins < at < since + ends]
                for begins, ends in ((UNUSED_AFTER_S - 100, UNUSED_AFTER_S), (UNUSED_AFTER_S, 1e9))
            )
            assert not server.is_open or (len(usual) >= 20 and len(rare) <= 3)

        # The path is well: it proves so in one round trip, and pings are as usual again.
        await anyio.sleep(UNUSED_PING_EVERY_S - 5.0)
        owner = route.open()
        assert owner.stream is None
        await anyio.sleep(2 * ROUND_TRIP_S)
        assert owner.stream is not None
        owner.stream.reset()
        await anyio.sleep(UNUSED_AFTER_S + 2 * UNUSED_PING_EVERY_S)

        # It is dead, and no ping has noticed yet: the client gets a tunnel that was dialled anew.
        for server in route.servers:
            server.is_alive = False
        dialled = len(route.dialled_at)
        await anyio.sleep(UNUSED_PING_EVERY_S - 5.0)
        assert len(route.dialled_at) == dialled
        owner = route.open()
        await anyio.sleep(DIAL_S + 2 * ROUND_TRIP_S + TEND_EVERY_S)
        assert owner.stream is not None
        assert len(route.dialled_at) > dialled

    with_route(claim)


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
