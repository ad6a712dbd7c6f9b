"""Faults of this machine amid a dial: they end that dial, in words, and are no mistakes of ours."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmgwd.errors import Transient
from llmgwd.net.dial import Dialer
from llmgwd.net.http_head import HeadReader
from llmgwd.net.server import Server
from support.loops import both_loops

pytestmark = pytest.mark.anyio


def _dialer(host: str, port: int) -> Dialer:
    return Dialer(Server(host, port, "", False), None, None, host)


@both_loops
async def test_without_a_thread_for_a_name_a_literal_address_is_dialled_all_the_same() -> None:
    threads = ThreadPoolExecutor(1)
    threads.shutdown()  # from here on, a wish for a thread gets a RuntimeError
    asyncio.get_running_loop().set_default_executor(threads)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    transport, _ = await _dialer("127.0.0.1", port).dial(HeadReader)
    transport.abort()
    with pytest.raises(Transient, match=r"cannot reach localhost:\d+: .*shutdown"):
        await _dialer("localhost", port).dial(HeadReader)
    server.close()


async def test_a_mistake_in_asyncios_tls_is_a_broken_connection() -> None:
    reader = HeadReader()
    reader.connection_lost(RuntimeError("cannot switch state"))

    with pytest.raises(OSError, match="cannot switch state"):
        await reader.read_head()
