"""The simulated cluster as a whole: world, API server, network, credentials."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from llmgwsim.api.access import Access
from llmgwsim.api.behaviour import Behaviour
from llmgwsim.api.rest import Api
from llmgwsim.faults import Faults
from llmgwsim.faults.control import Control
from llmgwsim.gateway.litellm import GatewaySettings
from llmgwsim.kubeconfig import Credentials, kubeconfig, write_kubeconfig
from llmgwsim.net.http1 import Connections, HttpConnection
from llmgwsim.net.network import Network, Wire
from llmgwsim.net.tls import Authority, TlsTransport, server_context
from llmgwsim.world.objects import ServicePort, Template
from llmgwsim.world.world import World

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

# A thousand connections at once must find room in the queue of the listener.
BACKLOG = 4096


@dataclass(frozen=True)
class Options:
    """What a cluster is started with; all of it can be changed by faults later."""

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    rtt_s: float = 0.0
    pods: int = 2
    namespace: str = "litellm"
    service: str = "litellm"
    service_ports: tuple[ServicePort, ...] = (
        ServicePort(4000, "http", "http"),
        ServicePort(8080, "tcp", "tcp"),
    )
    template: Template = field(
        default_factory=lambda: Template({"app": "litellm"}, {"http": 4000, "tcp": 8080})
    )
    # From a pod's creation to Ready, as seen on a real cluster.
    start_s: float = 0.36
    gateway: GatewaySettings = field(default_factory=GatewaySettings)


class ApiServer:
    """The API server's process: its listener, and how it dies and comes back."""

    def __init__(self, api: Api, network: Network, authority: Authority, host: str) -> None:
        self._api = api
        self._network = network
        self._context = server_context(authority)
        self._host = host
        self._server: asyncio.Server | None = None
        self._connections = Connections()
        self._grace: asyncio.TimerHandle | None = None
        self.port = 0

    @property
    def is_up(self) -> bool:
        return self._server is not None

    async def start(self, port: int = 0) -> None:
        """Listen: on a given port, or the one it had before, or a free one."""
        if self._server is not None:
            return
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Wire(self._network, self._tls),
            self._host,
            port or self.port,
            backlog=BACKLOG,
            reuse_address=True,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _tls(self, wire: Wire) -> TlsTransport:
        return TlsTransport(wire, self._context, self._http)

    def _http(self) -> HttpConnection:
        return HttpConnection(self._api.serve, self._connections)

    def kill(self, reset: bool = False) -> None:
        """SIGKILL: the listener and every connection are gone at once."""
        self._stop_listening()
        self._network.cut(reset)

    async def close(self) -> None:
        """Kill it for good, and wait until nothing of it runs."""
        if self._grace is not None:
            self._grace.cancel()
        self.kill()
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
        if self._server is not None:
            self._server.close()
            self._server = None


def _drop(wires: list[Wire]) -> None:
    for wire in wires:
        wire.abort()


class SimulatedCluster:
    """One cluster in this event loop; `async with` it.

    `faults` are its fault calls; the same are served as HTTP on `control_url`.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.network = Network(rtt_s=self.options.rtt_s)
        self.authority = Authority()
        self.access = Access()
        self.behaviour = Behaviour()
        self.world = World(self.options.gateway, self.options.start_s)
        self.api = Api(self.world, self.access, self.behaviour)
        self.server = ApiServer(self.api, self.network, self.authority, self.options.host)
        self.faults = Faults(self)
        self.control = Control(self.faults)
        self.token = self.access.issue("demo")

    @property
    def url(self) -> str:
        return f"https://{self.options.host}:{self.server.port}"

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.control.port}"

    async def __aenter__(self) -> Self:
        options, world = self.options, self.world
        for name in ("default", "kube-system", options.namespace):
            world.add_namespace(name)
        world.add_service(
            options.service, options.namespace, options.service_ports, options.template.labels
        )
        key = {"LITELLM_MASTER_KEY": options.gateway.master_key}
        world.add_secret("litellm-secrets", options.namespace, key)
        await world.add_workload(
            "Deployment", options.service, options.namespace, options.pods, options.template
        )
        await self.server.start(options.port)
        await self.control.start(options.control_port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.server.close()
        await self.control.stop()
        await self.world.close()

    def kubeconfig(self, credentials: Credentials | None = None, **fields: Any) -> dict[str, Any]:
        """A kubeconfig document; without credentials it holds the cluster's first token."""
        chosen = credentials or Credentials(token=self.token)
        fields.setdefault("namespace", self.options.namespace)
        return kubeconfig(self.url, self.authority.pem, chosen, **fields)

    def write_kubeconfig(
        self, path: Path, credentials: Credentials | None = None, **fields: Any
    ) -> Path:
        return write_kubeconfig(path, self.kubeconfig(credentials, **fields))
