"""A gateway behind a URL, in small: a real listener whose every byte the test decides, and what
stands before the route to it in a forward.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from llmgwd.config import model
from llmgwd.relay.route_events import RouteLost
from llmgwd.routes.url import UrlRoute
from support.relay.relay_front import RelayFront, relay_front

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.connections import Connections
    from llmgwd.relay.route_events import RouteEvent

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class UrlFront:
    """A route and its front. Checks (GET /health/liveliness) never reach `serve`."""

    def __init__(self, url: str) -> None:
        self.route = UrlRoute(model.UrlRoute(url), self)
        self.relay: RelayFront
        self.downs: list[LlmgwError] = []
        self._news = asyncio.Event()

    @property
    def port(self) -> int:
        return self.relay.port

    @property
    def cuts(self) -> list[LlmgwError]:
        return self.relay.cuts

    @property
    def problems(self) -> list[LlmgwError]:
        return self.route.problems()

    @property
    def connections(self) -> Connections:
        return self.relay.context.connections

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await self.relay.connect()

    async def until(self, claim: Callable[[], object]) -> None:
        """Wait for news that makes the claim true."""
        async with asyncio.timeout(20):
            while not claim():
                self._news.clear()
                await self._news.wait()

    # As the route's events.

    def changed(self) -> None:
        self._news.set()
        if self.route.is_up:
            self.relay.admission.release()

    def record(self, event: RouteEvent) -> None:
        if isinstance(event, RouteLost):
            self.downs.append(event.cause)


@contextlib.asynccontextmanager
async def front_of(url: str, *, is_up: bool = True) -> AsyncIterator[UrlFront]:
    """Run a route to the URL behind a local port; wait until it is up (or has failed once)."""
    front = UrlFront(url)
    async with relay_front(lambda: front.route if front.route.is_up else None) as front.relay:
        running = asyncio.create_task(front.route.run())
        try:
            await front.until(lambda: front.route.is_up if is_up else front.problems)
            yield front
        finally:
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
