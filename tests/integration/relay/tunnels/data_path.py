"""The data path as one forward has it, and its cluster, in the loop of a test.

The pool, the relay and the admission are the daemon's own; what is left out is what follows the
target and reports it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
from tenacity import wait_fixed

from llmgwctl.wire import RouteKind, UpgradeKind
from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.target.pods import Endpoint
from llmgwd.cluster.upgrade import Upgraded, upgrade
from llmgwd.config.model import ListenAddress, Protocol
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.gateway.error_answer import Trouble
from llmgwd.listening.listener import Listener, bind
from llmgwd.net.http1_heads import Head, RequestLine, forwarded_request
from llmgwd.relay.admission import AdmissionQueue
from llmgwd.relay.context import RelayContext
from llmgwd.relay.counters import ForwardCounters
from llmgwd.relay.http.request_records import RequestRecords
from llmgwd.system.backoff import BLOCKED_S, RetryWait
from llmgwd.tunnel.pool import TunnelPool
from llmgwsim.cluster import SimulatedCluster

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from llmgwd.relay.route import Stream, StreamOwner
    from llmgwd.relay.route_events import RouteEvent
    from llmgwd.tunnel.tunnel import Tunnel
    from llmgwsim.options import Options
    from llmgwsim.world.pod import Pod

PATIENCE_S = 15.0
RETRY_WAIT = RetryWait((Blocked, wait_fixed(BLOCKED_S)), (LlmgwError, wait_fixed(0.1)))
SPDY_WAYS = (UpgradeKind.SPDY, UpgradeKind.WEBSOCKET)
ALL_WAYS = (*SPDY_WAYS, UpgradeKind.CHANNELS)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)

Program = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def until(claim: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait until a claim holds."""
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, f"not so within {within_s:g} s"
        await asyncio.sleep(0.005)


class DataPath:
    """The route, the observer of its pool, and what a test may look at."""

    kind = RouteKind.KUBERNETES
    carries_raw = True
    name = "kubernetes"

    def __init__(
        self,
        cluster: SimulatedCluster,
        access: ClusterAccess,
        way: UpgradeKind,
        limit: int,
        protocol: Protocol,
        expects_http: bool,
    ) -> None:
        self.cluster = cluster
        self.faults = cluster.faults
        self.way = way
        self.news: list[str] = []
        self._access = access
        self.counters = ForwardCounters()
        self.admission = AdmissionQueue(
            lambda: self if self.pool.is_up else None,
            self.counters,
            lambda kind, cause, count: None,
            lambda timing, seconds: None,
            hold_s=30.0,
            hold_limit=1000,
        )
        self.relay = RelayContext(
            self.admission,
            lambda: Trouble(503, "down", "No route.", "Wait.", retry_after_s=1),
            RequestRecords("test"),
            self.counters,
            protocol=protocol,
            expects_http=expects_http,
        )
        self.pool = TunnelPool(self._dial, self, self, RETRY_WAIT, self._has_demand, limit)
        self.listener = Listener(self.relay)
        self.port = 0
        self.ends = contextlib.AsyncExitStack()  # of what a test's clients and programs hold

    @property
    def is_up(self) -> bool:
        return self.pool.is_up

    def open(self, owner: StreamOwner) -> None:
        self.pool.open(owner)

    def withdraw(self, owner: StreamOwner) -> None:
        self.pool.withdraw(owner)

    def refused(self, stream: Stream, cause: LlmgwError) -> None:
        self.pool.refused(stream.pod or "", cause)

    def request_head(self, head: Head, line: RequestLine) -> Head:
        return forwarded_request(head, line, line.target)

    def response_head(self, head: Head) -> Head:
        return head

    async def _dial(self, endpoint: Endpoint) -> Upgraded:
        return await upgrade(self._access, endpoint, self.way)

    def _has_demand(self) -> bool:
        return len(self.admission.hold) > 0

    # As the owner of the pool, and as the forward.

    def up(self) -> None:
        self.news.append("up")
        self.admission.release()

    def down(self, cause: LlmgwError) -> None:
        self.news.append("down")

    def changed(self) -> None:
        self.news.append("changed")

    def record(self, event: RouteEvent) -> None:
        self.news.append(type(event).__name__)

    # For tests.

    @property
    def tunnels(self) -> list[Tunnel]:
        return list(self.pool._tunnels)

    @property
    def upgrades(self) -> int:
        """How many there have been."""
        return sum(self.faults.counts()["upgrades"].values())

    @property
    def streams(self) -> int:
        return sum(tunnel.load for tunnel in self.tunnels)

    def pods(self) -> list[Pod]:
        return [pod for pod in self.cluster.world.pods.values() if pod.program is not None]

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(pod.namespace, pod.name, pod.uid, 4000) for pod in self.pods()]

    def pod_connections(self) -> int:
        return sum(pod["connections"] for pod in self.faults.pods())

    def buffered_bytes(self) -> int:
        """What the path itself holds for those who do not take it, either way."""
        tunnels = [tunnel._transport for tunnel in self.tunnels]
        clients = [connection._transport for connection in self.relay.connections._all]
        return sum(transport.get_write_buffer_size() for transport in [*tunnels, *clients])

    def kept_bytes(self) -> int:
        return sum(each.request.kept_bytes for each in self.admission._carried)

    async def serve_instead(
        self, program: Program, monkeypatch: pytest.MonkeyPatch, *pods: Pod
    ) -> None:
        """Let the pods (all, if none is named) run another program behind the gateway's port."""
        server = await self.ends.enter_async_context(_server_of(program))
        address = server.sockets[0].getsockname()
        for pod in pods or self.pods():
            monkeypatch.setattr(pod.program, "address", lambda port: address)

    async def client(self, receive_buffer: int | None = None) -> Client:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        client = Client(sock)
        self.ends.callback(client.close)
        return client

    async def ask(self, path: str, name: str = "", timeout_s: float = PATIENCE_S) -> bytes:
        """GET on a fresh connection, read to the answer's end."""
        async with asyncio.timeout(timeout_s):
            client = await self.client()
            try:
                await client.send(get(path, name))
                return await client.answer()
            finally:
                client.close()


class Client:
    """A local client whose socket is in plain sight."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.received = b""
        self._loop = asyncio.get_running_loop()

    async def send(self, payload: bytes) -> None:
        await self._loop.sock_sendall(self.socket, payload)

    async def read(self, size: int = 65536) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            piece = await self._loop.sock_recv(self.socket, size)
        self.received += piece
        return piece

    async def read_to_end(self) -> bytes:
        while await self.read():
            pass
        return self.received

    async def read_until(self, mark: bytes) -> bytes:
        while mark not in self.received:
            assert await self.read(), self.received[-200:]
        return self.received

    async def answer(self) -> bytes:
        """One answer, as long as its head says."""
        await self.read_until(b"\r\n\r\n")
        head, _, rest = self.received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None:
            return await self.read_until(b"\r\n0\r\n\r\n")
        missing = int(length[1]) - len(rest)
        parts = [self.received]
        while missing > 0:
            async with asyncio.timeout(PATIENCE_S):
                piece = await self._loop.sock_recv(self.socket, 1 << 20)
            assert piece, f"{missing} bytes are missing"
            parts.append(piece)
            missing -= len(piece)
        self.received = b"".join(parts)
        return self.received

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def get(path: str, name: str = "", *lines: str) -> bytes:
    named = [f"X-Request-Id: {name}"] if name else []
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *named, *lines, "", ""]).encode()


# A model that thinks longer than any test lasts.
THINKING = get("/slow?ms=60000")


def post(path: str, body: bytes, name: str = "", length: int | None = None) -> bytes:
    """A POST whose body may be shorter than it says."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {name}\r\n"
    return f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode() + body


def status(answer: bytes) -> int:
    return int(answer[9:12])


@contextlib.asynccontextmanager
async def _server_of(program: Program) -> AsyncIterator[asyncio.Server]:
    """Run a program for each connection, and end each at the end."""
    running: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def run_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running[task] = writer
        try:
            # Python 3.11 logs a connection's task that was cancelled as an error.
            with contextlib.suppress(asyncio.CancelledError):
                await program(reader, writer)
        finally:
            del running[task]

    server = await asyncio.start_server(run_one, "127.0.0.1", 0)
    try:
        yield server
    finally:
        server.close()
        for task, writer in running.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@contextlib.asynccontextmanager
async def data_path(
    folder: Path,
    way: UpgradeKind = UpgradeKind.SPDY,
    limit: int = 64,
    options: Options | None = None,
    protocol: Protocol = Protocol.AUTO,
    expects_http: bool = True,
) -> AsyncIterator[DataPath]:
    """Serve a local port that leads to a fresh cluster's pods, by one way in."""
    async with SimulatedCluster(options) as cluster, contextlib.AsyncExitStack() as cleanup:
        access = await open_access(str(cluster.write_kubeconfig(folder / "kubeconfig")), None)
        cleanup.push_async_callback(access.close)
        path = DataPath(cluster, access, way, limit, protocol, expects_http)
        await cleanup.enter_async_context(path.ends)
        sock = bind(ListenAddress("127.0.0.1", 0))
        path.port = sock.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(path.pool.run)
            await path.listener.serve(sock)
            path.pool.set_endpoints(path.endpoints())
            await until(lambda: path.is_up)
            yield path
            path.listener.close()
            tasks.cancel_scope.cancel()


def is_settled_at(path: DataPath, warm: int) -> bool:
    return path.pool.counts() == {"idle": warm, "busy": 0, "draining": 0, "dialing": 0}
