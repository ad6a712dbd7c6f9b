"""Tunnels that serve again, and those that are no longer trusted: resets, silence, lost pods."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from data_path import ALL_WAYS, SPDY_WAYS, data_path, get, is_settled_at, post, status, until

from llmgwd.tunnel import liveness
from llmgwd.tunnel.demand import WARM_AT_REST, WARM_IN_USE

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwctl.wire import UpgradeKind


pytestmark = pytest.mark.anyio
PING_EVERY_S = 0.2
SILENT_AFTER_S = 0.3


@pytest.fixture
def quick_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "PING_EVERY_S", PING_EVERY_S)
    monkeypatch.setattr(liveness, "SILENT_AFTER_S", SILENT_AFTER_S)


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_a_tunnel_whose_stream_ended_cleanly_serves_again(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        # The runtime takes a second over each end, so a quick row of requests dials a few more …
        for _ in range(WARM_IN_USE):
            await path.ask("/whoami")
        await until(lambda: all(tunnel.is_idle for tunnel in path.tunnels))
        before = path.upgrades

        # … and the next one finds them all again.
        for _ in range(WARM_IN_USE):
            assert status(await path.ask("/whoami")) == 200
        assert path.upgrades == before


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_the_tunnel_of_one_client_after_another_is_the_same(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, limit=1) as path:
        for _ in range(5):
            client = await path.client()
            await client.send(get("/whoami", "", "Connection: close"))
            assert status(await client.read_to_end()) == 200
            await until(lambda: path.tunnels[0].is_idle)

        assert path.upgrades == 1


async def test_a_tunnel_that_met_a_reset_is_closed(tmp_path: Path) -> None:
    async with data_path(tmp_path) as path:
        client = await path.client()
        await client.send(post("/slow?ms=60000", b"{}", "once"))
        await until(lambda: path.faults.seen() == {"once": 1})
        (carrying,) = [tunnel for tunnel in path.tunnels if tunnel.load]
        path.faults.reset_streams()

        assert status(await client.answer()) == 502
        assert carrying.is_closed
        assert status(await path.ask("/whoami")) == 200


@pytest.mark.usefixtures("quick_pings")
@pytest.mark.parametrize("way", ALL_WAYS)
async def test_idle_tunnels_into_a_black_hole_are_condemned(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        await until(lambda: is_settled_at(path, WARM_AT_REST))
        silent = path.tunnels
        path.faults.black_hole(new=False)

        await until(lambda: all(tunnel.is_closed for tunnel in silent))
        # New connections pass: the route comes back by itself, and answers.
        assert status(await path.ask("/whoami")) == 200
        assert path.counters.cut == 0


@pytest.mark.usefixtures("quick_pings")
@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_model_that_thinks_is_not_silence(tmp_path: Path, way: UpgradeKind) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        # Three ticks, each of them longer than a silent tunnel is given.
        await client.send(get("/slow?ms=3000"))

        assert status(await client.answer()) == 200
        assert path.counters.cut == 0


@pytest.mark.usefixtures("quick_pings")
@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_stream_outlives_a_black_hole_and_loses_nothing(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(get("/sse?n=100&ms=20"))
        await client.read_until(b"data: 1")
        path.faults.black_hole()
        # Noticed: who comes now is held.
        await until(lambda: not path.pool.is_up)
        late = asyncio.create_task(path.ask("/whoami"))
        await asyncio.sleep(1.0)
        path.faults.restore()

        assert b"data: [DONE]" in await client.read_until(b"data: [DONE]")
        assert status(await late) == 200
        assert path.counters.cut == path.counters.redialed == 0


@pytest.mark.usefixtures("quick_pings")
@pytest.mark.parametrize("way", ALL_WAYS)
async def test_what_a_silent_tunnel_was_sent_is_not_sent_again(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        await until(lambda: is_settled_at(path, WARM_AT_REST))
        path.faults.black_hole()
        client = await path.client()
        await client.send(post("/upload", b"{}"))
        await until(lambda: not path.pool.is_up)
        assert path.streams == 1
        path.faults.restore(cut=True)

        # Its reply may be what got lost.
        assert status(await client.answer()) == 502
        assert path.counters.redialed == 0


@pytest.mark.usefixtures("quick_pings")
@pytest.mark.parametrize("way", ALL_WAYS)
async def test_in_a_black_hole_a_stream_in_use_ends(tmp_path: Path, way: UpgradeKind) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(get("/sse?n=1000&ms=50"))
        await client.read_until(b"data: 1")
        path.faults.black_hole(new=False)

        await client.read_until(b"The answer is not complete.")
        assert (await client.answer()).endswith(b"\r\n0\r\n\r\n")
        assert path.counters.cut == 1


async def test_a_doubted_tunnel_takes_nobody_until_it_was_heard(tmp_path: Path) -> None:
    async with data_path(tmp_path, limit=1) as path:
        (tunnel,) = path.tunnels
        path.faults.black_hole(direction="out", new=False)
        tunnel.doubt(asyncio.get_running_loop().time(), 60.0)
        client = await path.client()
        await client.send(get("/whoami", "once"))
        await until(lambda: path.admission.streams == 1)

        assert tunnel.load == 0
        path.faults.restore()
        assert status(await client.answer()) == 200
        assert path.upgrades == 1
        assert path.faults.seen() == {"once": 1}


async def test_a_refusal_from_far_away_is_not_taken_for_silence(tmp_path: Path) -> None:
    """A pod that refuses is asked again; its next refusal takes a round trip, too."""
    async with data_path(tmp_path) as path:
        path.faults.set_rtt(0.4)
        path.faults.refuse_dials()
        client = await path.client()
        await client.send(get("/whoami", "once"))
        await until(lambda: "down" in path.news)
        before = list(path.news)
        await asyncio.sleep(3)
        assert path.news == before

        path.faults.refuse_dials(refuse=False)
        assert status(await client.answer()) == 200
