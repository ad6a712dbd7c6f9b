"""Stands between kubectl and an API server, TLS on both sides, and keeps what each of them said."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from llmgwsim.net.tls import Authority, server_context


@dataclass
class Conversation:
    """The bytes of one connection, in both directions."""

    from_client: bytearray = field(default_factory=bytearray)
    from_server: bytearray = field(default_factory=bytearray)


class RecordingRelay:
    """`url` leads to the API server; what goes through is in `conversations`, by connection."""

    def __init__(self, authority: Authority, port: int) -> None:
        self.conversations: list[Conversation] = []
        self.url = ""
        self._context = server_context(authority)
        self._upstream = ssl.create_default_context(cadata=authority.pem.decode())
        self._port = port
        self._relaying: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._context)
        self.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relaying[task] = writer
        task.add_done_callback(self._relaying.pop)
        conversation = Conversation()
        self.conversations.append(conversation)
        up_reader, up_writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._upstream
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_copy(reader, up_writer, conversation.from_client))
                tasks.create_task(_copy(up_reader, writer, conversation.from_server))
        except* OSError:
            pass

    async def close(self) -> None:
        """End what is relayed still."""
        for writer in self._relaying.values():
            writer.transport.abort()
        await asyncio.gather(*self._relaying)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bytearray
) -> None:
    try:
        while piece := await reader.read(65536):
            record += piece
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


@contextlib.contextmanager
def recording_relay(authority: Authority, port: int) -> Iterator[RecordingRelay]:
    """Relay to a port, in a thread of its own, until the block ends."""
    started: Future[asyncio.AbstractEventLoop] = Future()
    stop = asyncio.Event()
    relay = RecordingRelay(authority, port)

    async def run() -> None:
        server = await relay.serve()
        started.set_result(asyncio.get_running_loop())
        await stop.wait()
        server.close()
        await relay.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    loop = started.result(10)
    try:
        yield relay
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
