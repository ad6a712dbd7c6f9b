"""What stands before a route in a forward: listener, connections, admission and record."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmgwd.config.model import ListenAddress, Protocol
from llmgwd.gateway.error_answer import Trouble
from llmgwd.listening.listener import Listener, bind
from llmgwd.relay.admission import AdmissionQueue
from llmgwd.relay.connections import IDLE_LIMIT, Connections
from llmgwd.relay.context import RelayContext
from llmgwd.relay.counters import ForwardCounters
from llmgwd.relay.http.request_records import RequestRecords

if TYPE_CHECKING:
    from llmgwctl.wire import RequestRecord
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.route import Route

PATIENCE_S = 15.0
DOWN = Trouble(503, "no-pods", "No pod is ready.", "Wait.", retry_after_s=1)


class NotingAdmission(AdmissionQueue):
    """Keeps the causes of what it counts."""

    def __init__(
        self, route: Callable[[], Route | None], counters: ForwardCounters, hold_s: float
    ) -> None:
        super().__init__(
            route,
            counters,
            lambda kind, cause, count: None,
            lambda timing, seconds: None,
            hold_s,
            hold_limit=1000,
        )
        self.cuts: list[LlmgwError] = []
        self.resends: list[LlmgwError] = []

    def cut(self, cause: LlmgwError) -> None:
        self.cuts.append(cause)
        super().cut(cause)

    def resent(self, cause: LlmgwError) -> None:
        self.resends.append(cause)
        super().resent(cause)


@dataclass
class RelayFront:
    """A local port, and what a test may look at behind it."""

    port: int
    context: RelayContext
    admission: NotingAdmission
    listener: Listener
    errors: list[object]  # what callbacks of the loop raised

    @property
    def cuts(self) -> list[LlmgwError]:
        return self.admission.cuts

    @property
    def records(self) -> list[RequestRecord]:
        return self.context.records.since(None)

    @property
    def connections(self) -> int:
        """Client connections that are open."""
        return len(self.context.connections._all)

    def client_sockets(self) -> list[socket.socket]:
        """Our ends of the client connections that are open."""
        transports = [connection._transport for connection in self.context.connections._all]
        return [transport.get_extra_info("socket") for transport in transports]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)

    async def ask(self, request: bytes) -> bytes:
        """Send on a fresh connection; give all that comes until its end."""
        reader, writer = await self.connect()
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


async def until(claim: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait until a claim holds."""
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, f"not so within {within_s:g} s"
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def relay_front(
    route: Callable[[], Route | None],
    *,
    protocol: Protocol = Protocol.AUTO,
    expects_http: bool = True,
    hold_s: float = 30.0,
    idle_limit: int = IDLE_LIMIT,
) -> AsyncIterator[RelayFront]:
    """Serve a local port by what `route` gives.

    An exception in a callback of the loop fails the test; so does a connection that is left over
    when all clients have gone.
    """
    loop, errors = asyncio.get_running_loop(), list[object]()
    before = loop.get_exception_handler()

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        errors.append(context)
        loop.default_exception_handler(context)

    loop.set_exception_handler(note)
    counters = ForwardCounters()
    admission = NotingAdmission(route, counters, hold_s)
    context = RelayContext(
        admission,
        lambda: DOWN,
        RequestRecords("test"),
        counters,
        Connections(idle_limit),
        protocol=protocol,
        expects_http=expects_http,
    )
    listener = Listener(context)
    sock = bind(ListenAddress("127.0.0.1", 0))
    front = RelayFront(sock.getsockname()[1], context, admission, listener, errors)
    await listener.serve(sock)
    try:
        yield front
        assert errors == []
    finally:
        listener.close()
        context.connections.abort_all()
        await asyncio.sleep(0)
        loop.set_exception_handler(before)
