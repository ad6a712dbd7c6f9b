"""Readers and pods that take nothing: what they cost, and that they cost nobody else anything."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest
from data_path import ALL_WAYS, SPDY_WAYS, Client, DataPath, data_path, get, post, status, until

from llmgwd.relay.http.kept_request import RESEND_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwctl.wire import UpgradeKind

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
# No kernel holds as much for a socket: loopback's buffers end below 10 MiB.
PLENTY = 256 * MIB


async def stalled_reader(path: DataPath) -> Client:
    """A client that asks for more than all buffers hold, and reads the first bytes of it only."""
    client = await path.client(receive_buffer=4096)
    await client.send(get(f"/bytes/{PLENTY}"))
    await client.read(1)
    return client


async def has_come_to_rest(path: DataPath) -> None:
    """Nothing has moved towards the clients for twenty looks in a row."""
    looks, before = 0, -1
    while looks < 20:
        looks = looks + 1 if path.counters.received_bytes == before else 0
        before = path.counters.received_bytes
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_stalled_readers_on_tunnels_of_their_own_stall_nobody(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        clients = [await stalled_reader(path) for _ in range(4)]
        await has_come_to_rest(path)

        for _ in range(8):
            assert status(await path.ask("/whoami")) == 200
        assert path.buffered_bytes() <= len(clients) * MIB
        assert path.admission.streams >= len(clients)
        assert path.counters.cut == 0


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_on_a_shared_tunnel_the_laggard_is_cut_and_it_alone(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, limit=1) as path:
        neighbour = await path.client()
        await neighbour.send(get("/sse?n=60&ms=50"))
        await neighbour.read_until(b"data: 0")
        laggard = await stalled_reader(path)
        assert path.upgrades == 1

        await until(lambda: path.counters.cut == 1)
        assert path.buffered_bytes() <= 2 * MIB
        assert (await neighbour.answer()).count(b"data: ") == 61
        with pytest.raises(ConnectionResetError):
            await laggard.read_to_end()
        assert path.counters.cut == 1


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_past_the_cap_a_stalled_reader_keeps_nobody_waiting(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, limit=1) as path:
        await stalled_reader(path)
        await has_come_to_rest(path)

        assert status(await path.ask("/whoami")) == 200


async def test_a_slow_reader_on_a_shared_tunnel_gets_every_byte(tmp_path: Path) -> None:
    async with data_path(tmp_path, limit=1) as path:
        size = 12 * MIB
        client = await path.client(receive_buffer=64 * 1024)
        neighbour = await path.client()
        await neighbour.send(get("/sse?n=1200&ms=50"))
        await neighbour.read_until(b"data: 0")
        await client.send(get(f"/bytes/{size}"))
        await until(lambda: path.streams == 2)
        assert path.upgrades == 1

        digest, body_bytes = hashlib.sha256(), 0
        await client.read_until(b"\r\n\r\n")
        piece = client.received.partition(b"\r\n\r\n")[2]
        while True:
            digest.update(piece)
            body_bytes += len(piece)
            if body_bytes >= size:
                break
            # Some 6 MB a second: a tenth of what the pod would send.
            await asyncio.sleep(0.01)
            piece = await client.read(64 * 1024)

        assert body_bytes == size
        assert digest.digest() == hashlib.sha256(bytes(range(256)) * (size // 256)).digest()
        assert path.counters.cut == 0


async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    # Not for an event: nothing but the loop holds on to this task.
    await asyncio.sleep(3600)


async def push(client: Client) -> None:
    """Send until the test is over."""
    piece = bytes(MIB)
    while True:
        await client.send(piece)


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_an_upload_that_no_pod_reads_is_bounded_and_stalls_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        deaf, _ = path.pods()
        await path.serve_instead(never_reads, monkeypatch, deaf)
        path.pool.set_endpoints([each for each in path.endpoints() if each.pod == deaf.name])
        for tunnel in path.tunnels:
            tunnel.close()  # where the way in dials the pod at the upgrade
        client = await path.client()
        await client.send(post("/upload", b"", length=PLENTY))
        upload = asyncio.create_task(push(client))
        await until(lambda: path.counters.sent_bytes > MIB)
        looks, before = 0, -1
        while looks < 20:
            looks = looks + 1 if path.counters.sent_bytes == before else 0
            before = path.counters.sent_bytes
            await asyncio.sleep(0.01)
        path.pool.set_endpoints(path.endpoints())
        path.pool.set_endpoints([each for each in path.endpoints() if each.pod != deaf.name])

        assert path.counters.sent_bytes < PLENTY // 4
        assert path.buffered_bytes() <= MIB
        assert path.kept_bytes() <= RESEND_BYTES
        for _ in range(8):
            assert status(await path.ask("/whoami")) == 200
        assert path.admission.streams >= 1
        upload.cancel()


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_past_the_cap_an_upload_that_no_pod_reads_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, limit=1) as path:
        (tunnel,) = path.tunnels
        (deaf,) = [pod for pod in path.pods() if pod.name == tunnel.endpoint.pod]
        await path.serve_instead(never_reads, monkeypatch, deaf)
        client = await path.client()
        await client.send(post("/upload", b"", length=PLENTY))
        upload = asyncio.create_task(push(client))
        await until(lambda: tunnel.is_spent)
        monkeypatch.undo()

        assert status(await path.ask("/whoami")) == 200
        upload.cancel()


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_what_is_echoed_at_full_speed_comes_back_unharmed(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        body = bytes(range(256)) * (16 * MIB // 256)
        client = await path.client()
        upload = asyncio.create_task(client.send(post("/echo", body)))
        answer = await client.answer()
        await upload

        assert answer.partition(b"\r\n\r\n")[2] == body
