"""A small HTTP/1.1 server protocol: what the simulated API server and its pods' program share.

One request at a time a connection, in order (pipelined ones wait); bodies are read on demand with
back-pressure; a request can take the transport over for an upgrade.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, cast

from llmgwsim.net.body import IncomingBody
from llmgwsim.net.request import Request

_MAX_HEAD_BYTES = 64 * 1024


App = Callable[[Request], Awaitable[None]]


class Connections:
    """The living connections of one server."""

    def __init__(self) -> None:
        self._living: set[HttpConnection] = set()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[HttpConnection]:
        return iter(list(self._living))

    def __len__(self) -> int:
        return len(self._living)

    def add(self, connection: HttpConnection) -> None:
        self._living.add(connection)
        self._is_empty.clear()

    def discard(self, connection: HttpConnection) -> None:
        self._living.discard(connection)
        if not self._living:
            self._is_empty.set()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run the answer to one request."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def abort(self) -> None:
        """Drop every connection and wait until no request is served any more."""
        for connection in self:
            connection.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def emptied(self) -> None:
        """Wait until no connection is left."""
        await self._is_empty.wait()


class HttpConnection(asyncio.Protocol):
    """One connection of a server; `connections` is the server's set of the living ones."""

    def __init__(
        self,
        app: App,
        connections: Connections,
        keep_alive_s: float | None = None,
        common_headers: Mapping[str, str] | None = None,
    ) -> None:
        self._app = app
        self._connections = connections
        self._keep_alive_s = keep_alive_s
        self.common_headers = dict(common_headers or {})
        self._buffer = bytearray()
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._is_retiring = False
        self._is_taken = False
        self.transport: asyncio.Transport
        self._body: IncomingBody

    @property
    def is_idle(self) -> bool:
        return self._task is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._body = IncomingBody(self.transport, 0)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._connections.discard(self)
        self._can_write.set()
        self._body.lose()
        if self._idle:
            self._idle.cancel()
        if self._task:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._idle:
            self._idle.cancel()
            self._idle = None
        if not self._buffer and self._body.takes_all(data):
            self._body.take(data)
            return
        self._buffer += data
        if self._task is None:
            self._next_request()
        elif not self._is_taken:
            self._body.feed(self._buffer)

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def retire(self) -> None:
        """Close when idle: at once, or after the present answer."""
        self._is_retiring = True
        if self.is_idle:
            self.transport.close()

    def reset(self) -> None:
        """Close by RST, as a program that died on unread input does."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def write(self, data: bytes) -> None:
        if not self._is_lost:
            self.transport.write(data)

    async def drained(self) -> None:
        await self._can_write.wait()
        if self._is_lost:
            raise ConnectionResetError("the client is gone")

    async def next_body(self) -> bytes:
        """The next piece of the body, empty at its end.

        Raises:
            ConnectionError: the client is gone before the end.
        """
        return await self._body.next()

    def take_over(self, protocol: asyncio.Protocol) -> bytes:
        """Give the transport to another protocol; return what the client sent beyond the head.

        The caller calls `connection_made` and feeds those bytes.
        """
        self._is_taken = True
        self._connections.discard(self)
        self.transport.set_protocol(protocol)
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _next_request(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD_BYTES:
                self._refuse()
            return
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        try:
            request = self._parse(head)
        except ValueError:
            self._refuse()
            return
        self._task = self._connections.run(self._serve(request))
        self._body.feed(self._buffer)

    def _parse(self, head: bytes) -> Request:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(version)
        parsed: list[tuple[str, str]] = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(line)
            parsed.append((name.strip().lower(), value.strip()))
        headers = dict(parsed)
        request = Request(self, method, target, headers, parsed)
        if version == "HTTP/1.0" and headers.get("connection", "").lower() != "keep-alive":
            request.is_keep_alive = False
        is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = None if is_chunked else int(headers.get("content-length", "0"))
        self._body = IncomingBody(self.transport, length)
        if not self._body.is_done and headers.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return request

    def _refuse(self) -> None:
        body = b"Invalid HTTP request received."
        self.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()

    async def _serve(self, request: Request) -> None:
        with contextlib.suppress(ConnectionError):
            try:
                await self._app(request)
            except Exception:
                if not request.is_started:
                    request.respond(500, b"Internal Server Error", "text/plain; charset=utf-8")
                    request.is_keep_alive = False
                else:
                    self.transport.abort()
                raise
        if self._is_taken or self._is_lost:
            return
        # A body that was not read: what is left of it cannot be told apart from the next request.
        if not request.is_keep_alive or self._is_retiring or not self._body.is_done:
            self.transport.close()
            return
        self._task = None
        self.transport.resume_reading()
        if self._keep_alive_s is not None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._keep_alive_s, self.transport.close)
        if self._buffer:
            self._next_request()
