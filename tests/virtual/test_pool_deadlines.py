"""The pool of tunnels on a virtual clock: what wakes it, and when."""

from __future__ import annotations

import anyio
from pool_route import DIAL_S, OTHER_POD, POD, Probe, Route, with_route

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.errors import Transient
from llmgwd.tunnel.demand import WARM_IN_USE
from llmgwd.tunnel.dials import RECHECK_S
from llmgwd.tunnel.liveness import PING_EVERY_S, SILENT_AFTER_S
from llmgwd.tunnel.pool import TEND_EVERY_S


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


def test_a_pod_whose_dial_failed_is_dialled_again_while_another_serves() -> None:
    async def claim(route: Route) -> None:
        failing = Transient(ConditionKind.NODE_FAILING, "Its node takes no connection.")
        route.error_of[OTHER_POD] = failing
        route.pool.set_endpoints([POD, OTHER_POD])
        route.open()
        await anyio.sleep(30.0)
        known = route.pool.dials.failure
        assert known is not None
        # Dials to the one that serves have succeeded meanwhile, and say nothing about the other.
        assert known.error is failing
        assert known.since < 3.0

        before = len(route.dialled_at)
        await anyio.sleep(20.0)
        assert 3 <= len(route.dialled_at) - before <= 6
        route.error_of.clear()
        await anyio.sleep(RECHECK_S + 1.0)
        assert route.pool.dials.failure is None

    with_route(claim)


def test_dials_under_a_login_that_was_replaced_end_without_a_word() -> None:
    async def claim(route: Route) -> None:
        route.error_of[OTHER_POD] = Transient(ConditionKind.LOGIN_PLUGIN_FAILED, "Given up.")
        route.pool.set_endpoints([OTHER_POD])
        await anyio.sleep(DIAL_S / 2)
        route.pool.dials.abandon()
        route.error_of.clear()
        await anyio.sleep(1.0)

        assert route.pool.dials.failure is None
        assert [code for code, _ in route.news][-1] == "up"

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
