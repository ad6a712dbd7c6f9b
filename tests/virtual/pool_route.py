"""A pool of tunnels to a cluster that answers, all on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import anyio
from virtual_clock import VirtualLoop, run

from llmgwctl.wire import UpgradeKind
from llmgwd.cluster.target.pods import Endpoint
from llmgwd.cluster.upgrade import Upgraded
from llmgwd.protocol import spdy, websocket
from llmgwd.system.backoff import CLUSTER_WAIT
from llmgwd.tunnel.pool import TunnelPool
from support.relay.tunnel_peer import Owner, Wire

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.route_events import RouteEvent

POD = Endpoint("litellm", "litellm-0", "u", 4000)
OTHER_POD = Endpoint("litellm", "litellm-1", "v", 4000)
ROUND_TRIP_S = 0.04
DIAL_S = 0.16


class Server(Wire):
    """The other end of a tunnel: accepts streams, answers pings, and notes when they came."""

    def __init__(self, way: UpgradeKind) -> None:
        super().__init__()
        self.is_alive = True
        self.pinged_at: list[float] = []
        self._way = way
        self._loop = asyncio.get_running_loop()
        self._encoder, self._decoder = spdy.Encoder(), spdy.Decoder()
        self._tunnel: asyncio.BufferedProtocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._tunnel = cast("asyncio.BufferedProtocol", protocol)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_alive:
            self._loop.call_later(ROUND_TRIP_S, self._answer, bytes(data))

    def _answer(self, data: bytes) -> None:
        if self._way is UpgradeKind.CHANNELS:
            if data[0] == 0x80 | websocket.Opcode.PING:
                self._note_ping()
                self._say(bytes((0x80 | websocket.Opcode.PONG, 0)))
            return
        for frame in self._decoder.feed(data):
            if isinstance(frame, spdy.Ping):
                self._note_ping()
                self._say(self._encoder.ping(frame.ping_id))
            elif isinstance(frame, spdy.SynStream):
                self._say(self._encoder.syn_reply(frame.stream_id))
            elif isinstance(frame, spdy.Data) and frame.fin:
                for stream_id in (frame.stream_id, frame.stream_id - 2):
                    self._say(spdy.data_frame(stream_id, b"", fin=True))

    def _note_ping(self) -> None:
        self.pinged_at.append(round(self._loop.time() - ROUND_TRIP_S, 3))

    def _say(self, raw: bytes) -> None:
        if self.is_open:
            self._tunnel.get_buffer(len(raw))[: len(raw)] = raw
            self._tunnel.buffer_updated(len(raw))


class Probe(Owner):
    is_demand = False


class Route:
    """The pool's owner and its cluster."""

    def __init__(self, way: UpgradeKind = UpgradeKind.SPDY, limit: int = 64) -> None:
        self.way = way
        self.servers: list[Server] = []
        self.news: list[tuple[str, float]] = []
        self.error: LlmgwError | None = None
        self.error_of: dict[Endpoint, LlmgwError] = {}
        self.dialled_at: list[float] = []
        self.loop = cast("VirtualLoop", asyncio.get_running_loop())
        self.pool = TunnelPool(self._dial, self, self, CLUSTER_WAIT, lambda: False, limit)

    async def _dial(self, endpoint: Endpoint) -> Upgraded:
        self.dialled_at.append(self.loop.time())
        await anyio.sleep(DIAL_S)
        error = self.error_of.get(endpoint, self.error)
        if error is not None:
            raise error
        server = Server(self.way)
        self.servers.append(server)
        return Upgraded(server, b"", self.way)

    def open(self, owner: Owner | None = None) -> Owner:
        owner = owner or Owner()
        self.pool.open(owner)
        return owner

    # As the owner of the pool.

    def up(self) -> None:
        self.news.append(("up", self.loop.time()))

    def down(self, cause: LlmgwError) -> None:
        self.news.append((cause.code, self.loop.time()))

    def changed(self) -> None: ...

    def record(self, event: RouteEvent) -> None: ...


def with_route(
    claim: Callable[[Route], Awaitable[None]],
    way: UpgradeKind = UpgradeKind.SPDY,
    limit: int = 64,
) -> None:
    """Run a test with a pool that has its tunnels warm."""

    async def main() -> None:
        route = Route(way, limit)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(route.pool.run)
            route.pool.set_endpoints([POD])
            await anyio.sleep(1.0)
            await claim(route)
            tasks.cancel_scope.cancel()

    run(main)
