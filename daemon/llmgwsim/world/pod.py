"""One simulated pod: its object, its container's program, its log, its life from start to end."""

from __future__ import annotations

import asyncio
import datetime
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmgwsim.world.objects import NODE, NODE_ADDRESS, Object, Template, metadata, now
from llmgwsim.world.pod_failures import NO_NODE, UNSCHEDULABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwsim.gateway.program import GatewayProgram

# A container's log file is rotated at 10 MiB; here it is short, and bounded all the same.
_LOG_LINES = 20_000


@dataclass(frozen=True, slots=True)
class LogLine:
    time: datetime.datetime
    text: str


class PodLog:
    """The lines of one run of a container; followers are woken by each."""

    def __init__(self) -> None:
        self._lines: deque[LogLine] = deque(maxlen=_LOG_LINES)
        self._total = 0
        self._news = asyncio.Event()
        self.is_ended = False

    def add(self, text: str) -> None:
        self._lines.append(LogLine(datetime.datetime.now(datetime.UTC), text))
        self._total += 1
        self._announce()

    def end(self) -> None:
        self.is_ended = True
        self._announce()

    def lines(self, after: int = 0) -> tuple[list[LogLine], int]:
        """The lines after the first `after` ones, and how many there are in all."""
        missing = max(0, min(self._total - after, len(self._lines)))
        return list(self._lines)[len(self._lines) - missing :], self._total

    @property
    def news(self) -> asyncio.Event:
        """Set at the next line; take it before reading, wait after."""
        return self._news

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


@dataclass(eq=False)
class Pod:
    """State of one pod; `announce` stores its object after a change."""

    name: str
    namespace: str
    template: Template
    owner: tuple[str, str]
    revision: str
    make_program: Callable[[str, Callable[[str], None]], GatewayProgram]
    announce: Callable[[Pod], None]
    meta: Object = field(init=False)
    phase: str = "Pending"
    is_ready: bool = False
    ready_reason: str = "ContainersNotReady"
    # Set by a fault: dials of the program's port are refused.
    refuses_dials: bool = False
    restarts: int = 0
    last_end: Object | None = None
    waiting_reason: str = "ContainerCreating"
    failure: Object = field(default_factory=dict)
    deleted_at: str = ""
    grace_s: float = 0.0
    started_at: str = ""
    program: GatewayProgram | None = None
    log: PodLog = field(default_factory=PodLog)
    previous_log: PodLog | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        kind, owner = self.owner
        labels = dict(self.template.labels) | {"pod-template-hash": self.revision}
        if kind == "Deployment":
            # A deployment owns its pods through a replica set.
            kind, owner = "ReplicaSet", f"{owner}-{self.revision}"
        reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": True}
        self.meta = metadata(self.name, self.namespace, labels=labels)
        if owner:
            self.meta["ownerReferences"] = [reference | {"uid": f"{owner}-uid"}]

    @property
    def uid(self) -> str:
        return str(self.meta["uid"])

    @property
    def is_terminating(self) -> bool:
        return bool(self.deleted_at)

    async def start(self) -> None:
        """Run the program and be ready; a restart counts from the container's end."""
        self.log = PodLog()
        program = self.make_program(self.name, self.log.add)
        await program.start(tuple(self.template.ports.values()))
        if self.gone.is_set():
            program.kill()
            return
        self.program = program
        self.started_at = now()
        self.phase, self.is_ready = "Running", True
        self.announce(self)

    def set_ready(self, is_ready: bool, reason: str = "ContainersNotReady") -> None:
        self.is_ready, self.ready_reason = is_ready, reason
        self.announce(self)

    def crash(self, exit_code: int = 137, reason: str = "OOMKilled") -> None:
        """The container's program dies at once; the world restarts it."""
        if self.program is None:
            return
        self.program.kill()
        self.program = None
        self.log.add("Traceback (most recent call last):" if exit_code == 1 else "Killed")
        self.log.end()
        self.previous_log = self.log
        self.last_end = {
            "exitCode": exit_code,
            "reason": reason,
            "startedAt": self.started_at,
            "finishedAt": now(),
        }
        self.is_ready, self.waiting_reason = False, "CrashLoopBackOff"
        self.announce(self)

    def stick(self, reason: str) -> None:
        """It never starts; an unschedulable one has no node, and so no container."""
        self.waiting_reason = reason
        self.announce(self)

    def fail(self, reason: str, message: str) -> None:
        """It ended for good: its object stays until someone deletes it."""
        self.end()
        self.phase, self.is_ready = "Failed", False
        self.failure = {"reason": reason, "message": message}
        self.announce(self)

    def mark_terminating(self, grace_s: float) -> None:
        self.deleted_at, self.grace_s = now(), grace_s
        self.announce(self)

    async def terminate(self) -> None:
        """SIGTERM, then SIGKILL when the grace period is over."""
        if self.program is not None:
            try:
                await asyncio.wait_for(self.program.terminate(), self.grace_s)
            except TimeoutError:
                self.program.kill()
        self.end()

    def end(self) -> None:
        if self.program is not None:
            self.program.kill()
            self.program = None
        self.log.end()
        self.gone.set()

    def to_object(self) -> Object:
        meta = dict(self.meta)
        if self.deleted_at:
            meta["deletionTimestamp"] = self.deleted_at
            meta["deletionGracePeriodSeconds"] = int(self.grace_s)
        ports = [
            {"name": name, "containerPort": number, "protocol": "TCP"}
            for name, number in self.template.ports.items()
        ]
        container = {"name": self.template.container, "image": self.template.image, "ports": ports}
        return {
            "metadata": meta,
            "spec": {
                "containers": [container],
                "nodeName": NODE,
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": int(self.template.grace_s),
            },
            "status": self._status(),
        }

    def _status(self) -> Object:
        ready = "True" if self.is_ready else "False"
        condition: Object = {"type": "Ready", "status": ready, "lastTransitionTime": now()}
        containers: Object = {"type": "ContainersReady", "status": self._containers_ready()}
        if not self.is_ready:
            condition["reason"] = self.ready_reason
        status: Object = {
            "phase": self.phase,
            "conditions": [condition, containers, self._scheduled()],
            "hostIP": NODE_ADDRESS,
            "podIP": "10.244.0.4",
            "startTime": self.meta["creationTimestamp"],
            "qosClass": "BestEffort",
        }
        if self.waiting_reason != UNSCHEDULABLE and not self.failure:
            status["containerStatuses"] = [self._container_status()]
        return status | self.failure

    def _scheduled(self) -> Object:
        if self.waiting_reason != UNSCHEDULABLE:
            return {"type": "PodScheduled", "status": "True"}
        words = {"reason": UNSCHEDULABLE, "message": NO_NODE}
        return {"type": "PodScheduled", "status": "False"} | words

    def _containers_ready(self) -> str:
        """A lost node takes a pod's readiness alone: of its containers nothing new is known."""
        return "True" if self.is_ready or self.ready_reason == "NodeNotReady" else "False"

    def _container_status(self) -> Object:
        state: dict[str, Any] = {"waiting": {"reason": self.waiting_reason}}
        if self.program is not None:
            state = {"running": {"startedAt": self.started_at}}
        return {
            "name": self.template.container,
            "image": self.template.image,
            "imageID": "",
            "containerID": f"containerd://{self.uid.replace('-', '')}",
            "ready": self._containers_ready() == "True",
            "started": self.program is not None,
            "restartCount": self.restarts,
            "state": state,
            "lastState": {"terminated": self.last_end} if self.last_end else {},
        }
