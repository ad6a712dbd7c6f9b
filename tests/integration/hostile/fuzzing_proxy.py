"""A server between the daemon and a good one that mutates what the good one answers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mutations import Mutator

if TYPE_CHECKING:
    from llmgwsim.net.tls import Authority

_READ_BYTES = 65536
# Of an answer's pieces, how many are mutated on a connection that is.
_SHARES = (0.02, 0.2, 0.6)


class FuzzingProxy:
    """In a thread of its own. `refuses` says of a request's head whether it gets a 403.

    `is_calm` passes everything on as it is.
    """

    def __init__(
        self,
        upstream: int,
        seed: int,
        authority: Authority | None = None,
        refuses: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        """With an authority both sides speak TLS."""
        self.is_calm = True
        self.mutated = self.upgraded = 0
        self.port = 0
        self._upstream = upstream
        self._refuses = refuses
        self._seed = seed
        self._tls = None if authority is None else _server_context(authority)
        self._up_tls = None if authority is None else _client_context()
        self._is_up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._is_up.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.wait(tasks) if tasks else asyncio.sleep(0))

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._end.wait()
        server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._seed += 1
        mutator = Mutator(self._seed)
        with contextlib.suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection(
                "127.0.0.1", self._upstream, ssl=self._up_tls
            )
            asked = await reader.read(_READ_BYTES)
            is_upgrade = b"portforward" in asked
            if is_upgrade and self._refuses(asked):
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            else:
                self.upgraded += is_upgrade
                up_writer.write(asked)
                kind = b"websocket" in asked.lower() if is_upgrade else None
                there = asyncio.ensure_future(_pump(reader, up_writer))
                try:
                    await self._answer(up_reader, writer, mutator, kind)
                finally:
                    there.cancel()
                    up_writer.close()
        writer.close()

    async def _answer(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        mutator: Mutator,
        in_websocket: bool | None,
    ) -> None:
        """Pass the answers on; `in_websocket` None: it is no upgrade."""
        is_valid = mutator.random.random() < 0.3
        share = mutator.random.choice(_SHARES)
        is_first = True
        while chunk := await reader.read(_READ_BYTES):
            # A valid head most of the time: what comes after an upgrade is to be reached.
            is_spared = is_valid or (in_websocket is not None and is_first)
            if not self.is_calm and not is_spared and mutator.random.random() < share:
                self.mutated += 1
                chunk = self._mutated(chunk, mutator, in_websocket)
            is_first = False
            for piece in _pieces(chunk, mutator):
                writer.write(piece)
                await writer.drain()

    def _mutated(self, chunk: bytes, mutator: Mutator, in_websocket: bool | None) -> bytes:
        if in_websocket is not None and mutator.random.random() < 0.6:
            made = mutator.frames(in_websocket=in_websocket)
            return chunk + made if mutator.random.random() < 0.8 else made + chunk
        if in_websocket is None and mutator.random.random() < 0.7:
            return mutator.values(chunk)
        return mutator.data(chunk)


def _pieces(chunk: bytes, mutator: Mutator) -> list[bytes]:
    if mutator.random.random() < 0.95:
        return [chunk]
    at = mutator.random.randint(0, len(chunk))
    return [chunk[:at], chunk[at:]]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_READ_BYTES):
            writer.write(chunk)
            await writer.drain()
        writer.close()


def _server_context(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*authority.server().write_pem(Path(folder), "server"))
    return context


def _client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
