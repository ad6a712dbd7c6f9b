"""The program in the simulated pods: a gateway with uvicorn's manners, and test routes.

It is a real TCP server on loopback. Manners as seen of uvicorn: a client's half-close ends the
connection without an answer; a kept-alive connection gets FIN after 5.00 s; SIGTERM closes the
listener and idle connections within 0.15 s and lets streams finish.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from typing import TYPE_CHECKING, Literal

from llmgwsim.gateway.litellm import serve_litellm
from llmgwsim.net.http1 import Connections, HttpConnection
from llmgwsim.net.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwsim.gateway.settings import GatewayRecord, GatewaySettings
    from llmgwsim.net.request import Request

# uvicorn's own default.
KEEP_ALIVE_S = 5.0
# uvicorn looks this often whether it was signalled, and waits as long after it has closed what is
# idle: connections that were accepted last are served.
TICK_S = 0.1
# A real program has the request some 0.1 ms after the connection that carries it. Here both ends
# and the node share one loop, which takes milliseconds: what was dialled before the end gets this
# long for its request, or the simulator would lose many times as many as a real rollout does.
SETTLE_S = 0.05
# What a broken gateway may do: fail in JSON, answer as another program, close without an answer.
Spoilt = Literal["error", "page", "close"]
_PATTERN = bytes(range(256)) * 1024


class GatewayProgram:
    """One process of the gateway, in one pod; ends once, a restart is a new one."""

    def __init__(
        self,
        pod_name: str,
        settings: GatewaySettings,
        record: GatewayRecord,
        log: Callable[[str], None],
    ) -> None:
        self._pod_name = pod_name
        self._settings = settings
        self._record = record
        self._log = log
        self._connections = Connections()
        self._listeners: dict[int, Listener] = {}
        self._is_draining = False
        self._started_at = 0.0
        self._answers = asyncio.Event()
        self._answers.set()
        self._spoilt_as: Spoilt | None = None
        self.exited = asyncio.Event()

    async def start(self, ports: tuple[int, ...]) -> None:
        """Listen for each of the pod's ports, on a free one of this machine."""
        loop = asyncio.get_running_loop()
        self._started_at = loop.time()
        for port in ports:
            self._listeners[port] = await Listener.open(self._connection, "127.0.0.1")
        self._log("INFO:     Started server process [1]")
        self._log(f"INFO:     Uvicorn running on http://0.0.0.0:{ports[0]} (Press CTRL+C to quit)")

    def address(self, port: int) -> tuple[str, int] | None:
        """Where a pod's port is really served; None: nothing listens there."""
        listener = self._listeners.get(port)
        if self._is_draining or listener is None:
            return None
        return listener.host, listener.port

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def hang(self, hangs: bool) -> None:
        """A fault: take connections and requests, and answer none of them until it ends."""
        if hangs:
            self._answers.clear()
        else:
            self._answers.set()

    def spoil(self, how: Spoilt | None) -> None:
        """A fault: answer everything so; None ends it."""
        self._spoilt_as = how

    def keep_master_key(self) -> None:
        """Go on with the key that was read at the start, whatever the Secret says from now on."""
        self._settings = dataclasses.replace(self._settings)

    async def terminate(self) -> None:
        """SIGTERM: take no one new, let streams finish; `exited` is set when they have."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(TICK_S - (loop.time() - self._started_at) % TICK_S)
        self._log("INFO:     Shutting down")
        self._is_draining = True
        await asyncio.sleep(SETTLE_S)
        self._stop_listening()
        for connection in self._connections:
            connection.retire()
        await asyncio.sleep(TICK_S)
        await self._connections.emptied()
        self._log("INFO:     Finished server process [1]")
        self.exited.set()

    def kill(self) -> None:
        """SIGKILL: the kernel closes everything at once."""
        self._stop_listening()
        for connection in self._connections:
            connection.transport.abort()
        self.exited.set()

    async def close(self) -> None:
        """Kill it, and wait until nothing of it runs."""
        self.kill()
        await self._connections.abort()

    def _stop_listening(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()

    def _connection(self) -> HttpConnection:
        return HttpConnection(self._serve, self._connections, KEEP_ALIVE_S, {"server": "uvicorn"})

    async def _serve(self, request: Request) -> None:
        await self._answers.wait()
        if self._spoilt_as is not None:
            _answer_spoilt(request, self._spoilt_as)
            return
        self._record.requests[request.path.partition("?")[0]] += 1
        name = request.headers.get("x-request-id")
        if name:
            self._record.seen[name] += 1
        route = _ROUTES.get("/" + request.path.split("/")[1])
        if route is not None:
            await route(self, request)
        else:
            await serve_litellm(request, self._settings, self._record, self._is_draining)
        if request.path not in _QUIET:
            self._log(f'INFO:     10.0.0.1:0 - "{request.method} {request.path} HTTP/1.1"')

    # Routes of the tests

    async def _bytes(self, request: Request) -> None:
        """`/bytes/N`: N bytes of a fixed pattern, as fast as they are taken."""
        left = int(request.path.split("/")[2])
        request.start(200, {"content-type": "application/octet-stream"}, length=left)
        while left > 0:
            piece = _PATTERN if left >= len(_PATTERN) else _PATTERN[:left]
            await request.send(piece)
            left -= len(piece)

    async def _echo(self, request: Request) -> None:
        """POST `/echo`: the body comes back as it arrives; `?sum=1` sends its SHA-256 after it."""
        wants_sum = request.argument("sum") == "1"
        length = request.headers.get("content-length")
        digest = hashlib.sha256()
        request.start(
            200,
            {"content-type": "application/octet-stream", "x-pod": self._pod_name},
            length=int(length) + (64 if wants_sum else 0) if length else None,
        )
        async for piece in request.chunks():
            if wants_sum:
                digest.update(piece)
            await request.send(piece)
        if wants_sum:
            await request.send(digest.hexdigest().encode())
        request.finish()

    async def _upload(self, request: Request) -> None:
        """POST `/upload`: read the body and drop it; `?sum=0` spares the SHA-256."""
        wants_sum = request.argument("sum", "1") == "1"
        digest = hashlib.sha256()
        size = 0
        async for piece in request.chunks():
            size += len(piece)
            if wants_sum:
                digest.update(piece)
        answer = {"bytes": size, "sha256": digest.hexdigest() if wants_sum else None}
        request.respond_json(200, answer | {"pod": self._pod_name})

    async def _whoami(self, request: Request) -> None:
        name = request.headers.get("x-request-id", "")
        answer = {"pod": self._pod_name, "request_id": name or None}
        request.respond_json(200, answer | {"count": self._record.seen.get(name, 0)})

    async def _seen(self, request: Request) -> None:
        request.respond_json(200, dict(self._record.seen))

    async def _sse(self, request: Request) -> None:
        """`/sse?n=&ms=`: n events, ms apart, each with its number and the loop's time."""
        count, gap_s = int(request.argument("n", "10")), float(request.argument("ms", "100")) / 1000
        loop = asyncio.get_running_loop()
        request.start(200, {"content-type": "text/event-stream; charset=utf-8"})
        begin = loop.time()
        for number in range(count):
            await asyncio.sleep(max(0.0, begin + number * gap_s - loop.time()))
            await request.send(f"data: {number} {loop.time():.6f}\n\n".encode())
        await request.send(b"data: [DONE]\n\n")
        request.finish()

    async def _slow(self, request: Request) -> None:
        await asyncio.sleep(float(request.argument("ms", "1000")) / 1000)
        request.respond_json(200, {"pod": self._pod_name})

    async def _drop(self, request: Request) -> None:
        """`/drop`: close the connection without an answer; `?reset=1` by RST."""
        if request.argument("reset") == "1":
            request.connection.reset()
        else:
            request.connection.transport.close()


def _answer_spoilt(request: Request, how: Spoilt) -> None:
    if how == "error":
        request.respond_json(500, {"error": {"message": "Internal Server Error", "code": "500"}})
    elif how == "page":
        page = b"<html><title>%s</title></html>"
        if request.path == "/":
            request.respond(200, page % b"Welcome to nginx!", "text/html")
        else:
            request.respond(404, page % b"404 Not Found", "text/html")
    else:
        request.connection.transport.close()


_QUIET = frozenset({"/echo", "/upload", "/sse", "/whoami"})
_ROUTES = {
    "/bytes": GatewayProgram._bytes,
    "/echo": GatewayProgram._echo,
    "/upload": GatewayProgram._upload,
    "/whoami": GatewayProgram._whoami,
    "/seen": GatewayProgram._seen,
    "/sse": GatewayProgram._sse,
    "/slow": GatewayProgram._slow,
    "/drop": GatewayProgram._drop,
}
