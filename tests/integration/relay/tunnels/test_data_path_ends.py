"""How each end of a connection ends the other, and nothing else."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
from data_path import ALL_WAYS, SPDY_WAYS, THINKING, data_path, get, post, status, until

from llmgwctl.wire import UpgradeKind
from llmgwd.config.model import Protocol
from support.loops import both_loops

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.anyio, both_loops]


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_half_closed_client_gets_its_whole_answer(tmp_path: Path, way: UpgradeKind) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(get("/slow?ms=300"))
        client.half_close()

        answer = await client.answer()

        assert status(answer) == 200
        assert b'"pod"' in answer


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell gone from half-closed")
@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_client_that_closed_ends_the_thinking_of_the_pod(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(THINKING)
        await until(lambda: path.faults.counts()["gateway_requests"].get("/slow"))
        client.close()

        await until(lambda: path.streams == 0)
        await until(
            lambda: path.pod_connections() <= len(path.tunnels) * (way is UpgradeKind.CHANNELS)
        )
        assert path.admission.streams == 0
        assert (path.counters.cut, path.counters.redialed) == (0, 0)


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_a_client_that_resets_resets_its_stream(tmp_path: Path, way: UpgradeKind) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(THINKING)
        await until(lambda: path.faults.counts()["gateway_requests"].get("/slow"))
        (carrying,) = [tunnel for tunnel in path.tunnels if tunnel.load]
        client.reset()

        await until(lambda: carrying.is_closed)
        await until(lambda: path.pod_connections() == 0)
        assert path.admission.streams == 0


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_the_pods_end_reaches_the_client_after_the_last_byte(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(get("/bytes/3000000", "", "Connection: close"))

        answer = await client.read_to_end()

        assert len(answer.partition(b"\r\n\r\n")[2]) == 3_000_000
        assert path.counters.cut == 0


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_the_pods_reset_reaches_a_raw_client_as_a_reset(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, protocol=Protocol.TCP) as path:
        client = await path.client()
        await client.send(get("/drop?reset=1", "once"))

        with pytest.raises(ConnectionResetError):
            await client.read()
        assert path.faults.seen() == {"once": 1}
        assert path.counters.cut == 1


@pytest.mark.parametrize("way", SPDY_WAYS)
@pytest.mark.parametrize("drop", ["/drop", "/drop?reset=1"])
async def test_a_request_that_a_pod_drops_is_answered_in_words_and_never_repeated(
    tmp_path: Path, way: UpgradeKind, drop: str
) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(post(drop, b"{}", "once"))

        answer = await client.answer()

        assert status(answer) == 502
        assert b"may have been received" in answer
        assert path.faults.seen() == {"once": 1}
        assert (path.counters.cut, path.counters.redialed) == (1, 0)


@pytest.mark.parametrize("way", SPDY_WAYS)
@pytest.mark.parametrize("drop", ["/drop", "/drop?reset=1"])
async def test_a_safe_request_that_pods_drop_is_repeated_once_at_another(
    tmp_path: Path, way: UpgradeKind, drop: str
) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(get(drop, "twice"))

        answer = await client.answer()

        assert status(answer) == 502
        assert path.faults.seen() == {"twice": 2}
        assert sorted(path.faults.counts()["gateway_requests"].values()) == [2]
        assert (path.counters.cut, path.counters.redialed) == (1, 1)


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_a_reset_on_one_stream_touches_no_other_on_its_tunnel(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, limit=1) as path:
        neighbour = await path.client()
        await neighbour.send(get("/sse?n=40&ms=50"))
        await neighbour.read_until(b"data: 0")
        client = await path.client()
        await client.send(post("/drop?reset=1", b"{}"))
        assert status(await client.answer()) == 502

        answer = await neighbour.answer()

        assert answer.count(b"data: ") == 41
        assert path.upgrades >= 1


async def test_a_reset_on_a_shared_tunnel_makes_no_one_else_wait(tmp_path: Path) -> None:
    async with data_path(tmp_path, limit=1) as path:
        thinking = await path.client()
        await thinking.send(THINKING)
        await until(lambda: path.streams == 1)
        client = await path.client()
        await client.send(post("/drop?reset=1", b"{}"))
        assert status(await client.answer()) == 502

        # The tunnel is in doubt and takes no one new; its stream may take a minute yet.
        assert status(await path.ask("/whoami", timeout_s=10)) == 200
        assert path.streams >= 1


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_clients_that_leave_a_shared_tunnel_touch_no_other(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, limit=1) as path:
        neighbour = await path.client()
        await neighbour.send(get("/sse?n=40&ms=50"))
        await neighbour.read_until(b"data: 0")
        for leave in ("close", "reset"):
            client = await path.client()
            await client.send(THINKING)
            await until(lambda: path.admission.streams == 2)
            getattr(client, leave)()
            await until(lambda: path.admission.streams == 1)

        answer = await asyncio.wait_for(neighbour.answer(), 15)

        assert answer.count(b"data: ") == 41
