"""Pods and where to dial them, as data; and the reading of a pod as the API server writes it.

Pure: JSON objects in, frozen values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, as far as a forward cares. `ports` are its named TCP container ports."""

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

    @property
    def is_candidate(self) -> bool:
        """Runs and will go on running: its program may well answer, Ready or not."""
        return self.phase == "Running" and not self.is_terminating


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A pod and the number of the port in it to dial."""

    namespace: str
    pod: str
    uid: str
    port: int


@dataclass(frozen=True, slots=True)
class TargetView:
    """What a target leads to right now, newest pod first.

    `pods` are all of the target's, those that are going or not ready among them. `is_last_resort`:
    no pod is Ready, so running ones are offered. `problem` is set if and only if there is no
    endpoint, and says why.
    """

    endpoints: tuple[Endpoint, ...]
    pods: tuple[Pod, ...]
    is_last_resort: bool
    problem: LlmgwError | None = None

    def is_same_as(self, other: TargetView | None) -> bool:
        """Compare what is reported; two errors that read the same are the same."""
        return other is not None and self._compared() == other._compared()

    def _compared(self) -> tuple[object, ...]:
        problem = self.problem and (self.problem.code, self.problem.message)
        return self.endpoints, self.pods, self.is_last_resort, problem


def parse_pod(item: Mapping[str, Any]) -> Pod:
    """Read a v1 Pod."""
    metadata = item.get("metadata") or {}
    spec = item.get("spec") or {}
    status = item.get("status") or {}
    return Pod(
        name=metadata.get("name", ""),
        namespace=metadata.get("namespace", ""),
        uid=metadata.get("uid", ""),
        phase=status.get("phase", "Unknown"),
        is_ready=is_ready(status),
        is_terminating=bool(metadata.get("deletionTimestamp")),
        ports=_named_ports(spec),
        node=spec.get("nodeName", ""),
        created=metadata.get("creationTimestamp") or "",
        restarts=sum(
            container.get("restartCount", 0) for container in status.get("containerStatuses") or ()
        ),
    )


def is_ready(status: Mapping[str, Any]) -> bool:
    """Read the condition Ready of a pod's status."""
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status.get("conditions") or ()
    )


def _named_ports(spec: Mapping[str, Any]) -> dict[str, int]:
    """Named TCP ports; sidecars are init containers that restart, so those count too."""
    containers = [
        *(spec.get("containers") or ()),
        *(c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"),
    ]
    return {
        port["name"]: port["containerPort"]
        for container in containers
        for port in container.get("ports") or ()
        if port.get("name") and port.get("protocol", "TCP") == "TCP"
    }
