"""Pods and where to dial them, as data; and the reading of a pod as the API server writes it.

Pure: JSON objects in, frozen values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmgwd.cluster.target import objects
from llmgwd.cluster.target.objects import PodObject, PodSpec, PodStatus
from llmgwd.cluster.target.pod_troubles import is_ready, runs, trouble

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, as far as a forward cares. `ports` are its named container ports."""

    name: str
    namespace: str
    uid: str
    phase: str
    is_ready: bool
    is_terminating: bool
    ports: Mapping[str, int]
    node: str
    created: str  # RFC 3339, as the API server wrote it: sorts as text
    restarts: int
    has_running_container: bool = True
    trouble: str = ""  # in one phrase; empty when all is well

    @property
    def is_candidate(self) -> bool:
        """Runs and will go on running: its program may well answer, Ready or not."""
        return self.phase == "Running" and self.has_running_container and not self.is_terminating


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A pod and the number of the port in it to dial; `node` is where it runs, "" if unknown."""

    namespace: str
    pod: str
    uid: str
    port: int
    node: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class TargetView:
    """What a target leads to right now, newest pod first.

    `pods` are all of the target's, those that are going or not ready among them. `last_resort` is
    set where no pod is Ready and running ones are offered, and says so. `problem` is set if and
    only if there is no endpoint, and says why.
    """

    endpoints: tuple[Endpoint, ...]
    pods: tuple[Pod, ...]
    last_resort: LlmgwError | None = None
    problem: LlmgwError | None = None
    leads_to: str = ""  # by which selector, or to which pod

    @property
    def is_last_resort(self) -> bool:
        return self.last_resort is not None

    def pod(self, name: str) -> Pod | None:
        return next((pod for pod in self.pods if pod.name == name), None)

    def is_same_as(self, other: TargetView | None) -> bool:
        """Compare what is reported; two errors that read the same are the same."""
        return other is not None and self._compared() == other._compared()

    def _compared(self) -> tuple[object, ...]:
        problem = self.problem and (self.problem.code, self.problem.message)
        return self.endpoints, self.pods, self.is_last_resort, problem


def parse_pod(item: Mapping[str, Any] | PodObject) -> Pod:
    """Read a v1 Pod.

    Raises:
        Transient: it is none.
    """
    read = item if isinstance(item, PodObject) else objects.read(PodObject, item)
    metadata, spec, status = read.metadata, read.spec or PodSpec(), read.status or PodStatus()
    return Pod(
        name=metadata.name,
        namespace=metadata.namespace or "",
        uid=metadata.uid or "",
        phase=status.phase or "Unknown",
        is_ready=is_ready(status),
        is_terminating=bool(metadata.deletion_timestamp),
        ports=_named_ports(spec),
        node=spec.node_name or "",
        created=metadata.creation_timestamp or "",
        restarts=sum(each.restart_count or 0 for each in status.container_statuses or ()),
        has_running_container=runs(status),
        trouble=trouble(read) or "",
    )


def _named_ports(spec: PodSpec) -> dict[str, int]:
    """The ports by name, of several with one name the first: those of containers before those of
    sidecars (init containers that restart) before those of other init containers, as in kubectl.

    TCP before all others, unlike kubectl: a service's TCP port leads to no other one.
    """
    before = spec.init_containers or ()
    containers = [
        *(spec.containers or ()),
        *(each for each in before if each.restart_policy == "Always"),
        *(each for each in before if each.restart_policy != "Always"),
    ]
    ports = [port for container in containers for port in container.ports or () if port.name]
    found: dict[str, int] = {}
    for port in sorted(ports, key=lambda port: (port.protocol or "TCP") != "TCP"):
        found.setdefault(port.name or "", port.container_port)
    return found
