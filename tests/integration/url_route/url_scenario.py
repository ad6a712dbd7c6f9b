"""What the tests of the url route ask, answer, and how long they may take."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import anyio

from llmgwd.system.process import event_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def scenario(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test in a loop of its own, in bounded time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(20):
                await test(*args, **kwargs)

        # By anyio, as the daemon runs: its task groups take tasks from callbacks of the loop.
        anyio.run(bounded, backend_options=event_loop.backend_options())

    return run


async def ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
    await reader.read()


def get(path: str = "/v1/models", *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost:4000", *headers, "", ""]).encode()
