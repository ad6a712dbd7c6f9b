"""The API server as a process: its listener, and how it dies and comes back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmgwsim.net.http1 import Connections, HttpConnection
from llmgwsim.net.listener import Listener
from llmgwsim.net.network import Network, Wire
from llmgwsim.net.tls import Authority, Identity, TlsTransport, server_context

if TYPE_CHECKING:
    from llmgwsim.api.rest import Api


class ApiServer:
    """The API server's process: its listener, and how it dies and comes back."""

    def __init__(self, api: Api, network: Network, authority: Authority, host: str) -> None:
        self._api = api
        self._network = network
        self.authority = authority
        self._context = server_context(authority)
        self._host = host
        self._listener: Listener | None = None
        self._connections = Connections()
        self._grace: asyncio.TimerHandle | None = None
        self.port = 0

    def show(self, identity: Identity | None) -> None:
        """Have new connections see another certificate; None: its own."""
        self._context = server_context(self.authority, identity)

    @property
    def is_up(self) -> bool:
        return self._listener is not None

    async def start(self, port: int = 0) -> None:
        """Listen: on a given port, or the one it had before, or a free one."""
        if self._listener is not None:
            return
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        self._listener = await Listener.open(
            lambda: Wire(self._network, self._tls), self._host, port or self.port
        )
        self.port = self._listener.port

    def _tls(self, wire: Wire) -> TlsTransport:
        return TlsTransport(wire, self._context, self._http)

    def _http(self) -> HttpConnection:
        return HttpConnection(self._api.serve, self._connections)

    def kill(self) -> None:
        """SIGKILL: the listener and every connection are gone at once, here."""
        self._stop_listening()
        self._network.end()

    async def close(self) -> None:
        """Kill it for good, and wait until nothing of it runs."""
        if self._grace is not None:
            self._grace.cancel()
        self._stop_listening()
        self._network.cut(reset=False)
        await self._connections.abort()

    def terminate(self, upgrades_live_s: float = 60.0) -> None:
        """SIGTERM: listen no more, end REST and watches; upgrades live on for a while."""
        self._stop_listening()
        for connection in self._connections:
            connection.retire()
        wires = list(self._network.wires)
        loop = asyncio.get_running_loop()
        self._grace = loop.call_later(upgrades_live_s, _drop, wires)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def _drop(wires: list[Wire]) -> None:
    for wire in wires:
        wire.abort()
