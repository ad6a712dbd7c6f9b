"""A gateway behind a URL, in small: a real listener whose every byte the test decides, and the
forward in front of it, reduced to "carry it".
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmgwd.direct.route import UrlRoute

from llmgwd.config.model import ListenAddress
from llmgwd.listening.listener import Listener, bind
from llmgwd.relay.counters import ForwardCounters

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.connection import LocalConnection

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Front:
    """The forward and its route. Checks (GET /health/liveliness) never reach `serve`."""

    port: int
    route: UrlRoute
    given_back: list[tuple[bytes, LlmgwError, bool]] = field(default_factory=list)
    cuts: list[LlmgwError] = field(default_factory=list)
    downs: list[LlmgwError] = field(default_factory=list)
    failed: list[LlmgwError] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def admit(self, connection: LocalConnection, cause: LlmgwError | None) -> None:
        if cause is None:
            self.route.carry(connection)
        else:
            self.given_back.append((connection.first_bytes, cause, self.route.is_up))
            connection.answer(None)

    def closed(self, connection: LocalConnection) -> None:
        pass

    def redialed(self, connection: LocalConnection, cause: LlmgwError) -> None:
        raise AssertionError("nothing is ever sent again")

    def up(self) -> None:
        self.news.set()

    def down(self, cause: LlmgwError) -> None:
        self.downs.append(cause)
        self.news.set()

    def dial_failed(self, error: LlmgwError, attempts: int, retry_in_s: float) -> None:
        self.failed.append(error)
        self.news.set()

    def cut(self, connection: Any, cause: LlmgwError) -> None:
        self.cuts.append(cause)

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait for news that makes the claim true."""
        async with asyncio.timeout(20):
            while not claim():
                self.news.clear()
                await self.news.wait()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@contextlib.asynccontextmanager
async def front_of(url: str, *, is_up: bool = True) -> AsyncIterator[Front]:
    """Run a route to the URL behind a local port; wait until it is up (or has failed once)."""
    front = Front(0, None)  # type: ignore[arg-type]
    front.route = UrlRoute(url, front)
    listener = Listener(front, ForwardCounters())
    sock = bind(ListenAddress("127.0.0.1", 0))
    front.port = sock.getsockname()[1]
    await listener.serve(sock)
    running = asyncio.create_task(front.route.run())
    try:
        await front.until(lambda: front.route.is_up if is_up else bool(front.failed))
        yield front
    finally:
        listener.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@contextlib.asynccontextmanager
async def upstream(
    serve: Serve, *, tls: ssl.SSLContext | None = None, health: int = 200
) -> AsyncIterator[int]:
    """Serve each connection by `serve` on a free port; its health by itself."""
    serving: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving[task] = writer
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"/health/liveliness HTTP/1.1" in head:
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % health)
                await writer.drain()
            else:
                reader.request_head = head  # type: ignore[attr-defined]
                await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            del serving[task]
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in serving.values():
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)


def head_of(reader: asyncio.StreamReader) -> bytes:
    """The head of the first request on this connection."""
    head: bytes = reader.request_head  # type: ignore[attr-defined]
    return head


async def answer_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one answer with a length: its head and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    lengths = [int(value) for name, _, value in lines if name.lower() == b"content-length"]
    return head, await reader.readexactly(lengths[0] if lengths else 0)
