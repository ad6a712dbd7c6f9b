"""The simulated cluster as a whole: world, API server, network, credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from llmgwsim.api.auth.access import Access
from llmgwsim.api.behaviour import Behaviour
from llmgwsim.api.rest import Api
from llmgwsim.api.server import ApiServer
from llmgwsim.faults.base import Parts
from llmgwsim.faults.calls import Faults
from llmgwsim.faults.control import Control
from llmgwsim.kubeconfig import Credentials, kubeconfig, write_kubeconfig
from llmgwsim.net.network import Network
from llmgwsim.net.tls import Authority
from llmgwsim.options import Options
from llmgwsim.world.world import World

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


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
        self.token = self.access.issue("demo")
        parts = Parts(
            self.options,
            self.network,
            self.access,
            self.behaviour,
            self.world,
            self.api,
            self.server,
            self.token,
        )
        self.faults = Faults(parts)
        self.control = Control(self.faults)

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
        world.set_node(is_ready=True)
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
