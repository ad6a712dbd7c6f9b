"""Faults of the node: its heartbeats, its kubelet, and the container runtime behind that."""

from __future__ import annotations

from llmgwsim.faults.base import FaultCalls


class NodeFaults(FaultCalls):
    def lose_node(self, lost: bool = True) -> None:
        """No heartbeat from the node: it and all its pods are not ready, and the pods answer."""
        self._world.set_node(is_ready=not lost)

    def stop_kubelet(self, stopped: bool = True) -> None:
        """Upgrades and logs get the API server's own 500: it cannot dial the node."""
        self._behaviour.stopped = "kubelet" if stopped else None
        if stopped:
            self._cluster.api.upgrades.lose_node()

    def stop_runtime(self, stopped: bool = True) -> None:
        """The kubelet is there and its runtime is not: upgrades get the kubelet's 500 in text."""
        self._behaviour.stopped = "runtime" if stopped else None
        if stopped:
            self._cluster.api.upgrades.lose_node()
