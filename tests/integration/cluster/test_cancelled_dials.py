"""A dial that is cancelled, at each step of its way."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from llmgwd.net.dial import Dialer
from llmgwd.net.http_head import HeadReader
from llmgwd.net.server import Server
from llmgwd.net.tls import Trust, client_context
from support.loops import both_loops
from support.scripted_api import ScriptedApi, serving

pytestmark = [pytest.mark.anyio, both_loops]
# A dial over loopback takes some 20 turns of the loop.
TURNS = 40


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read(100))
    writer.close()


class SeeingReader(HeadReader):
    """TLS is put on top of its connection, as that of a URL's."""

    def socket_connected(self, below: asyncio.Transport) -> None: ...


async def cancelled_after(
    turns: int, api: ScriptedApi, tls: ssl.SSLContext, protocol: type[HeadReader]
) -> None:
    dialer = Dialer(Server("127.0.0.1", api.port, "", True), None, tls, "127.0.0.1")
    dial = asyncio.ensure_future(dialer.dial(protocol))
    for _ in range(turns):
        await asyncio.sleep(0)
    dial.cancel()
    try:
        transport, _ = await dial
    except asyncio.CancelledError:
        return
    transport.abort()


@pytest.mark.parametrize("protocol", [HeadReader, SeeingReader])
async def test_a_cancelled_dial_takes_no_other_connection_out_of_the_loop(
    protocol: type[HeadReader],
) -> None:
    """Another connection gets the number of its descriptor next."""
    async with serving() as api, await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        tls = client_context(Trust(api.authority.pem, "test"), None)
        for turns in range(TURNS):
            await cancelled_after(turns, api, tls, protocol)

            neighbours = [
                await asyncio.open_connection(*server.sockets[0].getsockname()) for _ in range(3)
            ]
            await asyncio.sleep(0.01)
            for reader, writer in neighbours:
                writer.write(b"hello")
                async with asyncio.timeout(5):
                    assert await reader.read(100) == b"hello"
                writer.close()
