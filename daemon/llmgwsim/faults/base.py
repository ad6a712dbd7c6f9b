"""What the fault calls act on: the parts of the cluster, and how a call is found by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmgwsim.api.auth.access import Access
    from llmgwsim.api.behaviour import Behaviour
    from llmgwsim.api.rest import Api
    from llmgwsim.api.server import ApiServer
    from llmgwsim.net.network import Network
    from llmgwsim.options import Options
    from llmgwsim.world.pod import Pod
    from llmgwsim.world.world import Workload, World

_NOT_CALLS = frozenset({"describe", "call"})


@dataclass(frozen=True)
class Parts:
    """What a cluster is made of, and so what can be wrong with it; `token` is its first one."""

    options: Options
    network: Network
    access: Access
    behaviour: Behaviour
    world: World
    api: Api
    server: ApiServer
    token: str


class FaultCalls:
    def __init__(self, cluster: Parts) -> None:
        self._cluster = cluster
        self._world = cluster.world
        self._behaviour = cluster.behaviour

    def call(self, name: str) -> Callable[..., Any] | None:
        method = getattr(self, name, None)
        return None if name.startswith("_") or name in _NOT_CALLS else method

    def describe(self) -> dict[str, str]:
        """Every fault call with its parameters."""
        calls = inspect.getmembers(self, callable)
        names = [(name, call) for name, call in calls if self.call(name)]
        return {name.replace("_", "-"): str(inspect.signature(call)) for name, call in names}

    def _pod(self, name: str | None, namespace: str | None = None) -> Pod:
        place = namespace or self._cluster.options.namespace
        if name is None:
            pods = [pod for pod in self._pods(place) if not pod.is_terminating]
            if not pods:
                raise LookupError("no pod")
            return pods[0]
        pod = self._world.pod(place, name)
        if pod is None:
            raise LookupError(f"no pod {name}")
        return pod

    def _pods(self, namespace: str) -> list[Pod]:
        return [pod for pod in self._world.pods.values() if pod.namespace == namespace]

    def _workload(self, name: str | None) -> Workload:
        options = self._cluster.options
        return self._world.workloads[options.namespace, name or options.service]
