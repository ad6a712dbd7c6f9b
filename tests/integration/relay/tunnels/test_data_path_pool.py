"""The pool of tunnels: how many, to which pods, and for how long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from data_path import (
    ALL_WAYS,
    SPDY_WAYS,
    THINKING,
    DataPath,
    data_path,
    get,
    is_settled_at,
    status,
    until,
)

from llmgwd.cluster.target.pods import Endpoint
from llmgwd.tunnel import demand
from llmgwd.tunnel import dials as dialling
from llmgwd.tunnel import pool as pool_module
from llmgwd.tunnel.demand import WARM_AT_REST, WARM_IN_USE

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwctl.wire import UpgradeKind


pytestmark = pytest.mark.anyio


def idle(path: DataPath) -> int:
    return path.pool.counts()["idle"]


def close_all(path: DataPath) -> None:
    """On the v4 way a tunnel leads into the pod already; one that stands knows of no refusal."""
    for tunnel in path.tunnels:
        tunnel.close()


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_pods_that_all_refuse_are_asked_now_and_then(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        await until(lambda: is_settled_at(path, WARM_AT_REST))
        path.faults.refuse_dials()
        close_all(path)
        asking = asyncio.create_task(path.ask("/whoami"))
        await until(lambda: path.admission.hold)
        await asyncio.sleep(0.3)
        before = path.upgrades
        await asyncio.sleep(1.0)
        dialled, standing = path.upgrades - before, len(path.tunnels)
        path.faults.refuse_dials(refuse=False)
        answer = await asking

        # Each of two pods at most once in a quarter of a second.
        assert dialled <= 10
        assert standing <= WARM_IN_USE + 2
        assert status(answer) == 200


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_pod_that_refused_is_used_again_when_it_takes_connections(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        refusing = path.pods()[0].name
        path.faults.refuse_dials(pod=refusing)
        close_all(path)
        while not path.pool._ejected:
            # Several at a time: one alone would always find the same tunnel idle.
            answers = await asyncio.gather(*(path.ask("/slow?ms=50") for _ in range(4)))
            assert {status(answer) for answer in answers} == {200}
        path.faults.refuse_dials(refuse=False, pod=refusing)

        await until(lambda: not path.pool._ejected)


async def test_while_dials_hang_the_pool_waits_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialling, "DIAL_TIMEOUT_S", 1.0)
    async with data_path(tmp_path) as path:
        path.faults.black_hole()
        close_all(path)
        asking = asyncio.create_task(path.ask("/whoami"))
        await until(lambda: path.pool.dials.attempts)
        rounds = 0
        wait = path.pool._wait_for_news

        async def counted(not_before: float) -> None:
            nonlocal rounds
            rounds += 1
            await wait(not_before)

        monkeypatch.setattr(path.pool, "_wait_for_news", counted)
        await asyncio.sleep(1.5)
        path.faults.restore()
        answer = await asking

        # A tick is half a second, and each dial that ends is a round.
        assert rounds < 30
        assert status(answer) == 200


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_when_a_reply_is_late_whoever_comes_waits_for_proof(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        await path.ask("/whoami")
        await until(lambda: idle(path) >= WARM_IN_USE)
        path.faults.black_hole()
        first = asyncio.create_task(path.ask("/whoami"))
        # Long before pings would tell.
        await until(lambda: all(tunnel.is_doubted for tunnel in path.tunnels), within_s=3)
        opened = path.streams
        late = [asyncio.create_task(path.ask("/whoami")) for _ in range(5)]
        await asyncio.sleep(0.5)
        streams = path.streams
        path.faults.restore()
        answers = await asyncio.gather(first, *late)

        assert streams == opened == 1
        assert {status(answer) for answer in answers} == {200}


@pytest.mark.parametrize("gone_first", [True, False])
async def test_a_pod_that_is_gone_keeps_no_other_from_being_tried(
    tmp_path: Path, gone_first: bool
) -> None:
    async with data_path(tmp_path) as path:
        there = path.endpoints()[0]
        gone = Endpoint(there.namespace, "gone", "no-uid", there.port)
        path.pool.set_endpoints(())
        await until(lambda: not path.tunnels)
        path.pool.set_endpoints((gone, there) if gone_first else (there, gone))

        assert status(await path.ask("/whoami")) == 200


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_few_tunnels_are_warm_at_rest_and_more_in_use(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        await until(lambda: is_settled_at(path, WARM_AT_REST))
        await path.ask("/whoami")

        await until(lambda: idle(path) >= WARM_IN_USE)


async def test_after_a_long_silence_the_surplus_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "SURPLUS_FOR_S", 0.2)
    monkeypatch.setattr(demand, "SURPLUS_FOR_S", 0.2)
    async with data_path(tmp_path) as path:
        await path.ask("/whoami")
        await until(lambda: idle(path) >= WARM_IN_USE)
        monkeypatch.setattr(demand, "AT_REST_AFTER_S", 0.1)

        await until(lambda: is_settled_at(path, WARM_AT_REST))
        await until(lambda: path.faults.counts()["open_upgrades"] == WARM_AT_REST)


async def test_more_tunnels_than_the_cap_are_never_kept(tmp_path: Path) -> None:
    async with data_path(tmp_path, limit=3) as path:
        answers = await asyncio.gather(*(path.ask("/slow?ms=200") for _ in range(30)))

        assert {status(answer) for answer in answers} == {200}
        assert path.upgrades <= 3


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_past_the_cap_none_is_refused_and_none_waits(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, limit=2) as path:
        clients = [await path.client() for _ in range(12)]
        for client in clients:
            await client.send(THINKING)

        # All are there at the same time, though there are more of them than tunnels allowed.
        await until(lambda: path.faults.counts()["gateway_requests"].get("/slow") == 12)
        assert (path.counters.cut, path.counters.failed) == (0, 0)
        for client in clients:
            client.close()


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_past_the_cap_streams_are_shared_out_evenly(tmp_path: Path, way: UpgradeKind) -> None:
    async with data_path(tmp_path, way, limit=3) as path:
        await path.ask("/whoami")
        await until(lambda: is_settled_at(path, 3))
        clients = [await path.client() for _ in range(12)]
        for client in clients:
            await client.send(THINKING)
        await until(lambda: path.streams == 12)

        assert sorted(tunnel.load for tunnel in path.tunnels) == [4, 4, 4]


async def test_load_is_spread_over_both_pods(tmp_path: Path) -> None:
    async with data_path(tmp_path) as path:
        clients = [await path.client() for _ in range(10)]
        for client in clients:
            await client.send(THINKING)
        await until(lambda: path.streams == 10)

        streams = [streams for _, streams in path.pool.by_pod().values()]
        assert len(streams) == 2
        assert min(streams) >= 4


async def test_pods_that_leave_drain_and_take_nobody_new(tmp_path: Path) -> None:
    async with data_path(tmp_path) as path:
        client = await path.client()
        await client.send(get("/sse?n=20&ms=50"))
        await client.read_until(b"data: 1")
        (leaving,) = [tunnel.endpoint for tunnel in path.tunnels if tunnel.load]
        path.pool.set_endpoints([each for each in path.endpoints() if each != leaving])

        assert leaving.pod.encode() not in await path.ask("/whoami")
        assert (await client.answer()).count(b"data: ") == 21
        await until(lambda: "DrainEnded" in path.news)
        assert path.counters.cut == 0


async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 ready\r\n")
    said = await reader.readline()
    writer.write(b"250 " + said)
    writer.close()


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_program_that_speaks_first_is_heard_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, expects_http=False) as path:
        await path.serve_instead(greets, monkeypatch)
        for tunnel in path.tunnels:
            tunnel.close()
        client = await path.client()

        await client.read_until(b"220 ready\r\n")
        await client.send(b"EHLO\r\n")
        assert await client.read_to_end() == b"220 ready\r\n250 EHLO\r\n"
        assert path.counters.cut == 0
