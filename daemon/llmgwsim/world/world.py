"""The simulated world: namespaces, services, workloads, pods, and the controllers between them.

Only here do pods come and go; the API serves what the store holds. Every task belongs to the
world's own group and ends with `close`.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmgwsim.gateway.program import GatewayProgram
from llmgwsim.gateway.settings import GatewayRecord
from llmgwsim.world import objects
from llmgwsim.world.pod import Pod
from llmgwsim.world.pod_failures import UNSCHEDULABLE, stick
from llmgwsim.world.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from llmgwsim.gateway.settings import GatewaySettings
    from llmgwsim.world.objects import Object, ServicePort, Template

# Letters Kubernetes uses in generated names.
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass
class Workload:
    """A deployment or a statefulset, and how it replaces its pods."""

    kind: str
    name: str
    namespace: str
    replicas: int
    template: Template
    revision: str
    # No replacement is made before this instant of the loop's clock.
    held_until: float = 0.0
    filling: asyncio.Task[None] | None = None
    stuck_for: str | None = None  # why its new pods never start

    @property
    def resource(self) -> str:
        return f"{self.kind.lower()}s"


class World:
    """`start_s` is how long a new pod takes from its creation to Ready."""

    def __init__(self, gateway: GatewaySettings, start_s: float = 0.36) -> None:
        self.store = Store()
        self.gateway = gateway
        self.record = GatewayRecord()
        self.start_s = start_s
        self.pods: dict[tuple[str, str], Pod] = {}
        self.workloads: dict[tuple[str, str], Workload] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random()  # noqa: S311 - names of pods, not secrets

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pod in list(self.pods.values()):
            program = pod.program
            pod.end()
            if program is not None:
                await program.close()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Making things

    def add_namespace(self, name: str) -> None:
        self.store.put("namespaces", objects.namespace(name))

    def add_service(
        self,
        name: str,
        namespace: str,
        ports: tuple[ServicePort, ...],
        selector: Mapping[str, str] | None,
    ) -> None:
        """Make a service, or put another in its place under the same identity."""
        item = objects.service(name, namespace, selector, ports)
        before = self.store.get("services", namespace, name)
        if before is not None:
            item["metadata"] = dict(before["metadata"])
        self.store.put("services", item)

    def change_service(self, name: str, namespace: str, spec: Mapping[str, Any]) -> Object:
        """Change parts of a service's spec; None removes one.

        Raises:
            LookupError: no such service.
        """
        before = self.store.get("services", namespace, name)
        if before is None:
            raise LookupError(f"no service {name}")
        merged = before["spec"] | spec
        kept = {key: value for key, value in merged.items() if value is not None}
        return self.store.put("services", before | {"spec": kept})

    def set_node(self, is_ready: bool) -> None:
        """The node's heartbeats come, or stop: its pods' readiness goes with them."""
        self.store.put("nodes", objects.node(is_ready))
        for pod in self.pods.values():
            if pod.program is not None:
                pod.set_ready(is_ready, "" if is_ready else "NodeNotReady")
                if not is_ready:
                    self.add_event(pod, "NodeNotReady", "Node is not ready")

    def add_secret(self, name: str, namespace: str, values: Mapping[str, str]) -> None:
        self.store.put("secrets", objects.secret(name, namespace, values))

    async def add_workload(
        self, kind: str, name: str, namespace: str, replicas: int, template: Template
    ) -> Workload:
        """Make a Deployment or StatefulSet with its pods ready."""
        workload = Workload(kind, name, namespace, replicas, template, self._letters(9))
        self.workloads[namespace, name] = workload
        item = objects.workload(name, namespace, replicas, template)
        self.store.put(workload.resource, item)
        for _ in range(replicas):
            await self._make_pod(workload).start()
        self._show(workload)
        return workload

    async def add_pod(self, name: str, namespace: str, template: Template) -> Pod:
        """Make a bare pod, which no workload replaces."""
        pod = self._pod(name, namespace, template, ("", ""), "bare")
        await pod.start()
        return pod

    def add_pending_pod(self, name: str, namespace: str, template: Template) -> Pod:
        """Make a pod that no node takes: it never runs."""
        pod = self._pod(name, namespace, template, ("", ""), "bare")
        stick(self, pod, UNSCHEDULABLE)
        return pod

    def add_event(self, pod: Pod, reason: str, message: str) -> None:
        item = objects.event(pod.namespace, "Pod", pod.name, pod.uid, reason, message)
        self.store.put("events", item)

    # Ending things

    def delete_pod(
        self, pod: Pod, graceful: bool = True, grace_s: float | None = None
    ) -> asyncio.Task[None] | None:
        """Delete a pod; its workload replaces it at once, as deployments do."""
        if not graceful or grace_s == 0:
            pod.end()
            self._forget(pod)
            self.fill(self.owner_of(pod))
            return None
        if pod.is_terminating:
            return None
        limit_s = pod.template.grace_s if grace_s is None else grace_s
        self.add_event(pod, "Killing", f"Stopping container {pod.template.container}")
        pod.mark_terminating(limit_s)
        self.fill(self.owner_of(pod))
        return self.run(self._terminate(pod))

    async def _terminate(self, pod: Pod) -> None:
        await pod.terminate()
        self._forget(pod)

    def _forget(self, pod: Pod) -> None:
        if self.pods.get((pod.namespace, pod.name)) is not pod:
            return
        del self.pods[pod.namespace, pod.name]
        self.store.remove("pods", pod.namespace, pod.name)
        workload = self.owner_of(pod)
        if workload:
            self._show(workload)
            # A statefulset's pod comes back under its own name, so only now.
            self.fill(workload)

    def delete_namespace(self, name: str) -> None:
        """Remove a namespace and all in it at once."""
        for key in [key for key in self.workloads if key[0] == name]:
            del self.workloads[key]
        for pod in [pod for pod in self.pods.values() if pod.namespace == name]:
            pod.end()
            self._forget(pod)
        for resource in ("services", "deployments", "statefulsets", "secrets", "events"):
            for item in self.store.items(resource, name):
                self.store.remove(resource, name, item["metadata"]["name"])
        self.store.remove("namespaces", "", name)

    # Controllers

    def fill(self, workload: Workload | None) -> None:
        """Make the pods a workload lacks, after its hold."""
        if workload is None or (workload.filling and not workload.filling.done()):
            return
        if len(self.pods_of(workload)) >= workload.replicas:
            return
        workload.filling = self.run(self._fill(workload))

    async def _fill(self, workload: Workload) -> None:
        loop = asyncio.get_running_loop()
        if workload.held_until > loop.time():
            await asyncio.sleep(workload.held_until - loop.time())
        while (
            self.workloads.get((workload.namespace, workload.name)) is workload
            and len(self.pods_of(workload)) < workload.replicas
        ):
            if workload.kind == "StatefulSet" and self._free_ordinal(workload) is None:
                return
            self.run(self._start(self._make_pod(workload)))

    async def _start(self, pod: Pod) -> None:
        workload = self.owner_of(pod)
        if workload is not None and workload.stuck_for is not None:
            stick(self, pod, workload.stuck_for)
            return
        self.add_event(pod, "Scheduled", f"Successfully assigned to {objects.NODE}")
        await asyncio.sleep(self.start_s)
        if not pod.gone.is_set() and not pod.is_terminating:
            await pod.start()

    async def restart(self, pod: Pod, after_s: float) -> None:
        """Start a crashed container again, as the kubelet does."""
        message = f"Back-off restarting failed container {pod.template.container}"
        self.add_event(pod, "BackOff", message)
        await asyncio.sleep(after_s)
        # Crashed twice before it was started again: the first restart serves both.
        if pod.program is None and not pod.gone.is_set() and not pod.is_terminating:
            pod.restarts += 1
            await pod.start()

    async def roll(
        self, workload: Workload, surge: bool = True, grace_s: float | None = None
    ) -> None:
        """Replace every pod: with `surge` the new one is ready before its old one ends."""
        workload.revision = self._letters(9)
        for old in self.pods_of(workload):
            if not surge:
                self.delete_pod(old, grace_s=grace_s)
                await asyncio.sleep(0)
            if surge:
                new = self._make_pod(workload)
                await self._start(new)
                self.delete_pod(old, grace_s=grace_s)
            else:
                await self._all_ready(workload)
        self._show(workload)

    async def scale(self, workload: Workload, replicas: int) -> None:
        workload.replicas = replicas
        for pod in self.pods_of(workload)[replicas:]:
            self.delete_pod(pod)
        self.fill(workload)
        self._show(workload)

    async def _all_ready(self, workload: Workload) -> None:
        while True:
            pods = self.pods_of(workload)
            if len(pods) >= workload.replicas and all(pod.is_ready for pod in pods):
                return
            await self.store.changed()

    def pods_of(self, workload: Workload) -> list[Pod]:
        """The pods of a workload that are not terminating, oldest first."""
        owner = (workload.kind, workload.name)
        return [
            pod
            for pod in self.pods.values()
            if pod.namespace == workload.namespace
            and pod.owner == owner
            and not (pod.is_terminating or pod.failure)
        ]

    def pod(self, namespace: str, name: str) -> Pod | None:
        return self.pods.get((namespace, name))

    def _make_pod(self, workload: Workload) -> Pod:
        if workload.kind == "StatefulSet":
            name = f"{workload.name}-{self._free_ordinal(workload)}"
        else:
            name = f"{workload.name}-{workload.revision}-{self._letters(5)}"
        owner = (workload.kind, workload.name)
        return self._pod(name, workload.namespace, workload.template, owner, workload.revision)

    def _free_ordinal(self, workload: Workload) -> int | None:
        for number in range(workload.replicas):
            if (workload.namespace, f"{workload.name}-{number}") not in self.pods:
                return number
        return None

    def _pod(
        self,
        name: str,
        namespace: str,
        template: Template,
        owner: tuple[str, str],
        revision: str,
    ) -> Pod:
        pod = Pod(name, namespace, template, owner, revision, self._program, self._announce)
        self.pods[namespace, name] = pod
        self._announce(pod)
        return pod

    def _program(self, pod_name: str, log: Callable[[str], None]) -> GatewayProgram:
        return GatewayProgram(pod_name, self.gateway, self.record, log)

    def _announce(self, pod: Pod) -> None:
        if self.pods.get((pod.namespace, pod.name)) is not pod:
            return
        self.store.put("pods", pod.to_object())
        workload = self.owner_of(pod)
        if workload:
            self._show(workload)

    def owner_of(self, pod: Pod) -> Workload | None:
        workload = self.workloads.get((pod.namespace, pod.owner[1]))
        return workload if workload and workload.kind == pod.owner[0] else None

    def _show(self, workload: Workload) -> None:
        """Bring the workload's stored object up to date."""
        item = self.store.get(workload.resource, workload.namespace, workload.name)
        if item is None:
            return
        pods = self.pods_of(workload)
        ready = sum(pod.is_ready for pod in pods)
        updated = sum(pod.revision == workload.revision for pod in pods)
        status: Object = {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": updated,
        }
        spec = item["spec"] | {"replicas": workload.replicas}
        if status != item["status"] or spec != item["spec"]:
            self.store.put(workload.resource, item | {"status": status, "spec": spec})

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(_NAME_LETTERS, k=count))
