"""Faults of pods and of what makes them."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

from llmgwsim.faults.base import FaultCalls
from llmgwsim.gateway.program import Spoilt
from llmgwsim.world.pod_failures import UNSCHEDULABLE, evict


class PodFaults(FaultCalls):
    def pods(self) -> list[dict[str, Any]]:
        """Every pod with its state, and how many connections its program has."""
        return [
            {
                "name": pod.name,
                "namespace": pod.namespace,
                "uid": pod.uid,
                "phase": pod.phase,
                "is_ready": pod.is_ready,
                "is_terminating": pod.is_terminating,
                "restarts": pod.restarts,
                "connections": pod.program.connection_count if pod.program else 0,
            }
            for pod in self._world.pods.values()
        ]

    def delete_pod(
        self, pod: str | None = None, graceful: bool = True, grace_s: float | None = None
    ) -> str:
        """Delete a pod; its deployment replaces it. Returns the pod's name."""
        victim = self._pod(pod)
        self._world.delete_pod(victim, graceful, grace_s)
        return victim.name

    def delete_all_pods(
        self, hold_s: float = 0.0, graceful: bool = False, grace_s: float | None = None
    ) -> list[str]:
        """Delete every pod of the gateway's deployment; no new one is made for `hold_s`."""
        workload = self._workload(None)
        workload.held_until = asyncio.get_running_loop().time() + hold_s
        victims = self._world.pods_of(workload)
        for victim in victims:
            self._world.delete_pod(victim, graceful, grace_s)
        return [victim.name for victim in victims]

    async def roll(
        self,
        deployment: str | None = None,
        surge: bool = True,
        grace_s: float | None = None,
        wait: bool = False,
    ) -> None:
        """Replace every pod of a deployment, one after the other; `wait` for the last one."""
        work = self._world.run(self._world.roll(self._workload(deployment), surge, grace_s))
        if wait:
            await work

    async def scale(self, replicas: int, deployment: str | None = None) -> None:
        await self._world.scale(self._workload(deployment), replicas)

    def set_ready(
        self, ready: bool, pod: str | None = None, reason: str = "ContainersNotReady"
    ) -> str:
        """Mark a pod (not) ready; it answers all the same."""
        victim = self._pod(pod)
        victim.set_ready(ready, reason)
        return victim.name

    def crash(
        self,
        pod: str | None = None,
        restart_after_s: float = 0.5,
        exit_code: int = 137,
        reason: str = "OOMKilled",
    ) -> str:
        """The container dies and is started again: restartCount, lastState, previous log."""
        victim = self._pod(pod)
        victim.crash(exit_code, reason)
        self._world.run(self._world.restart(victim, restart_after_s))
        return victim.name

    def refuse_dials(self, refuse: bool = True, pod: str | None = None) -> None:
        """Connections to a pod's ports are refused; of all pods when none is named."""
        victims = [self._pod(pod)] if pod else list(self._world.pods.values())
        for victim in victims:
            victim.refuses_dials = refuse

    def hang_gateway(self, hangs: bool = True, pod: str | None = None) -> None:
        """The gateway takes connections and requests and answers none; those go on when it ends."""
        victims = [self._pod(pod)] if pod else list(self._world.pods.values())
        for victim in victims:
            if victim.program is not None:
                victim.program.hang(hangs)

    def spoil_gateway(self, how: Spoilt | None = "error") -> None:
        """Have every gateway fail all requests (error), answer as something else (page), or close
        connections without an answer (close); null ends it.
        """
        if how not in (None, *get_args(Spoilt)):
            raise ValueError(f"how is one of {', '.join(get_args(Spoilt))}")
        for pod in self._world.pods.values():
            if pod.program is not None:
                pod.program.spoil(how)

    def stick_pods(self, reason: str | None = "ImagePullBackOff") -> None:
        """Replace the gateway's pods by ones that never start, for this reason: the kubelet's, or
        Unschedulable; null replaces them by ones that do.
        """
        workload = self._workload(None)
        workload.stuck_for = reason
        for pod in self._world.pods_of(workload):
            self._world.delete_pod(pod, graceful=False)

    def evict(self) -> None:
        """The node is short of memory: the kubelet fails the pods, and no node takes others."""
        workload = self._workload(None)
        workload.stuck_for = UNSCHEDULABLE
        for pod in self._world.pods_of(workload):
            evict(self._world, pod)

    def log_line(self, text: str, pod: str | None = None) -> None:
        """Write a line into a pod's log."""
        self._pod(pod).log.add(text)

    async def add_pod(self, name: str, labels: dict[str, str], pending: bool = False) -> None:
        """Add a bare pod; with `pending` no node takes it."""
        options = self._cluster.options
        template = type(options.template)(labels, options.template.ports)
        if pending:
            self._world.add_pending_pod(name, options.namespace, template)
        else:
            await self._world.add_pod(name, options.namespace, template)

    async def add_workload(
        self, kind: str, name: str, labels: dict[str, str], replicas: int = 1
    ) -> None:
        """Add a Deployment or a StatefulSet with ready pods."""
        options = self._cluster.options
        template = type(options.template)(labels, options.template.ports)
        await self._world.add_workload(kind, name, options.namespace, replicas, template)

    def add_event(self, reason: str, message: str, pod: str | None = None) -> None:
        self._world.add_event(self._pod(pod), reason, message)
