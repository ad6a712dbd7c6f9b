"""Both WebSocket ways, asked by aiohttp's client, which shares no code with either side."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from cluster_client import CHANNELS, TUNNEL, forward_path, get, pod_name

from llmgwd.protocol import spdy

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

Socket = aiohttp.ClientWebSocketResponse
PORT = (4000).to_bytes(2, "little")


@asynccontextmanager
async def websocket(cluster: RemoteCluster, protocol: str, query: str) -> AsyncIterator[Socket]:
    context = ssl.create_default_context(cadata=cluster.authority.decode())
    url = cluster.url + forward_path(pod_name(cluster)) + query
    headers = {"Authorization": f"Bearer {cluster.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        connecting = session.ws_connect(
            url, protocols=(protocol,), ssl=context, max_msg_size=0, autoclose=False
        )
        async with connecting as opened:
            yield opened


def run(
    cluster: RemoteCluster,
    work: Callable[[Socket], Awaitable[None]],
    protocol: str = CHANNELS,
    query: str = "?ports=4000",
) -> None:
    async def main() -> None:
        async with asyncio.timeout(15), websocket(cluster, protocol, query) as opened:
            await work(opened)

    asyncio.run(main())


async def data_until(opened: Socket, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        message = await opened.receive_bytes()
        assert message[0] == 0
        data += message[1:]
    return data


async def announced(opened: Socket) -> None:
    assert await opened.receive_bytes() == b"\x00" + PORT
    assert await opened.receive_bytes() == b"\x01" + PORT


def test_channels_announce_the_port_on_both_and_carry_data(
    simulated_cluster: RemoteCluster,
) -> None:
    async def work(opened: Socket) -> None:
        await announced(opened)
        await opened.send_bytes(b"\x00" + get("/health/liveliness"))
        assert b"200 OK" in await data_until(opened, b'alive!"')

    run(simulated_cluster, work)


def test_channels_carry_a_message_of_a_megabyte_and_answer_in_32_kib(
    simulated_cluster: RemoteCluster,
) -> None:
    body = bytes(range(256)) * 4096
    head = f"POST /echo?sum=1 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    async def work(opened: Socket) -> None:
        await announced(opened)
        await opened.send_bytes(b"\x00" + head + body)
        got, sizes = b"", []
        while len(got.partition(b"\r\n\r\n")[2]) < len(body) + 64:
            message = await opened.receive_bytes()
            sizes.append(len(message) - 1)
            got += message[1:]
        assert got.partition(b"\r\n\r\n")[2][: len(body)] == body
        assert max(sizes) == 32 * 1024

    run(simulated_cluster, work)


def test_channels_carry_several_ports(simulated_cluster: RemoteCluster) -> None:
    async def work(opened: Socket) -> None:
        heads = [await opened.receive_bytes() for _ in range(4)]
        assert [head[0] for head in heads] == [0, 1, 2, 3]
        await opened.send_bytes(b"\x02" + get("/whoami"))
        answer = await opened.receive_bytes()
        assert answer[0] == 2
        assert b"200 OK" in answer

    run(simulated_cluster, work, query="?ports=4000&ports=8080")


def test_a_failed_dial_is_text_on_the_error_channel_and_close_1000(
    simulated_cluster: RemoteCluster,
) -> None:
    simulated_cluster.faults.refuse_dials()

    async def work(opened: Socket) -> None:
        await announced(opened)
        message = await opened.receive_bytes()
        assert message[0] == 1
        assert message[1:].startswith(b"error forwarding port 4000 to pod ")
        closing = await opened.receive()
        assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1000)

    run(simulated_cluster, work)


def test_the_pods_end_closes_the_channels_one_second_later(
    simulated_cluster: RemoteCluster,
) -> None:
    async def work(opened: Socket) -> None:
        await announced(opened)
        await opened.send_bytes(b"\x00" + get("/whoami", "Connection: close"))
        await data_until(opened, b"}")
        begin = time.monotonic()
        closing = await opened.receive()
        assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1000)
        assert time.monotonic() - begin > 0.9

    run(simulated_cluster, work)


def test_a_websocket_ping_is_answered(simulated_cluster: RemoteCluster) -> None:
    async def work(opened: Socket) -> None:
        await announced(opened)
        await opened.ping(b"are you there")
        message = await opened.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"are you there")

    async def main() -> None:
        async with asyncio.timeout(15):
            context = ssl.create_default_context(cadata=simulated_cluster.authority.decode())
            url = simulated_cluster.url + forward_path(pod_name(simulated_cluster))
            headers = {"Authorization": f"Bearer {simulated_cluster.token}"}
            async with (
                aiohttp.ClientSession(headers=headers) as session,
                session.ws_connect(
                    f"{url}?ports=4000", protocols=(CHANNELS,), ssl=context, autoping=False
                ) as opened,
            ):
                await work(opened)

    asyncio.run(main())


def test_the_tunnel_carries_spdy_in_messages(simulated_cluster: RemoteCluster) -> None:
    encoder, decoder = spdy.Encoder(), spdy.Decoder()
    headers = {"port": "4000", "requestid": "1"}

    async def work(opened: Socket) -> None:
        pieces = [
            encoder.syn_stream(1, headers | {"streamtype": "error"}, fin=True),
            encoder.syn_stream(3, headers | {"streamtype": "data"}),
            spdy.data_frame(3, get("/bytes/100000")),
        ]
        # Messages need not begin where frames do.
        sent = b"".join(pieces)
        for at in range(0, len(sent), 7):
            await opened.send_bytes(sent[at : at + 7])
        size = 0
        while size < 100_000:
            for frame in decoder.feed(await opened.receive_bytes()):
                if isinstance(frame, spdy.Data):
                    size += len(frame.payload)

    run(simulated_cluster, work, TUNNEL, "")
    assert simulated_cluster.faults.counts()["upgrades"] == {"websocket": 1}
