"""The logs of all pods behind a target, read through the API server and merged by time.

A pod's log is read by one request that goes on; one that breaks is taken up again after its last
line. Pods that join are added, those that end are reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.rules import timestamps
from llmgwctl.wire import LogLine
from llmgwd.cluster.api_errors import Action, NotFound, forbidden
from llmgwd.cluster.target import objects
from llmgwd.cluster.target.target_watch import TargetWatch, first_view
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.target.pods import TargetView
    from llmgwd.config.model import ClusterRoute

# A silent log is nothing unusual; a dead connection is taken up again after this long.
_READ_TIMEOUT_S: Final = 300.0
# How long a line waits for older ones of other pods: longer than requests made at once differ.
_GRACE_S: Final = 0.1
# A pod that is not started yet, or whose container is being restarted.
_AGAIN_S: Final = 0.5
# Lines kept of one pod while its neighbours or the reader are slow.
_KEPT_LINES: Final = 512
_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines: from how long ago, how many at most of each pod, and whether those to come."""

    since_s: float | None = None
    tail: int | None = None
    is_followed: bool = False


@dataclass(slots=True)
class _Source:
    """One pod: its lines that are not handed out yet. `container` is empty where it has one."""

    pod: str
    is_new: bool  # came while we followed: all of its lines are wanted
    container: str = ""
    last: str = ""  # the time stamp of the last line read
    lines: deque[LogLine] = field(default_factory=deque)
    is_ended: bool = False
    has_room: Wakeup = field(default_factory=Wakeup)


async def open_logs(access: ClusterAccess, route: ClusterRoute, extent: LogQuery) -> PodLogs:
    """Start to read; close what is returned.

    Raises:
        Blocked: no permission, no such target. Transient: the API server does not answer, or
            there is no pod and none is waited for.
    """
    action = Action("get", "pods/log", "", route.namespace)
    if not await access.self_subject_access(action):
        raise forbidden(action)
    view = await first_view(access, route)
    is_pointless = isinstance(view.problem, Blocked) or not extent.is_followed
    if view.problem is not None and not view.pods and is_pointless:
        raise view.problem
    return PodLogs(access, route, extent, view)


class PodLogs(AsyncIterator[LogLine]):
    """Lines as they come. What reads them runs until the iterator is closed or ends."""

    def __init__(
        self, access: ClusterAccess, route: ClusterRoute, extent: LogQuery, view: TargetView
    ) -> None:
        self._access = access
        self._route = route
        self._extent = extent
        self._view = view
        self._sources: dict[str, _Source] = {}
        self._wakeup = Wakeup()
        self._send, self._receive = anyio.create_memory_object_stream[LogLine](0)
        self._group: anyio.abc.TaskGroup | None = None
        # Owned by this iterator: an answer that goes on outlives the call that opened it, and a
        # generator cannot hold a task group across its yields.
        self._work = asyncio.create_task(self._read_all())

    async def __anext__(self) -> LogLine:
        try:
            return await self._receive.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        self._work.cancel()
        with contextlib.suppress(asyncio.CancelledError, LlmgwError):
            await self._work

    async def _read_all(self) -> None:
        async with self._send, anyio.create_task_group() as self._group:
            for pod in self._view.pods:
                self._add(pod.name, is_new=False)
            if self._extent.is_followed:
                self._group.start_soon(self._follow_target)
            await self._merge()
            self._group.cancel_scope.cancel()

    async def _follow_target(self) -> None:
        """Add pods as they come, over outages of the API server."""
        route = self._route
        while True:
            watch = TargetWatch(self._access, route.namespace, route.target, route.port)
            try:
                await watch.run(self._take_view)
            except LlmgwError:
                await anyio.sleep(_AGAIN_S)

    def _take_view(self, view: TargetView) -> None:
        self._view = view
        for name, source in list(self._sources.items()):
            if source.is_ended and not source.lines and not self._is_there(name):
                del self._sources[name]
        for pod in view.pods:
            if pod.name not in self._sources:
                self._add(pod.name, is_new=True)

    def _add(self, pod: str, *, is_new: bool) -> None:
        assert self._group is not None
        source = self._sources[pod] = _Source(pod, is_new)
        if is_new:
            self._note(source, "joined")
        self._group.start_soon(self._read_pod, source)

    async def _read_pod(self, source: _Source) -> None:
        """Read a pod's log to its end; where it is followed, to the pod's own end."""
        try:
            source.container = await self._container_of(source.pod)
            may_go_on = await self._read_once(source)
            while may_go_on and self._extent.is_followed:
                await anyio.sleep(_AGAIN_S)
                may_go_on = await self._read_once(source)
            if self._extent.is_followed:
                self._note(source, "ended")
        except LlmgwError as error:
            self._note(source, f"no log: {error.message}")
        finally:
            source.is_ended = True
            self._wake()

    async def _read_once(self, source: _Source) -> bool:
        """Make one request and read it to its end; say whether another may bring more."""
        log = self._access.pod_log(
            source.pod, self._route.namespace, self._query(source), _READ_TIMEOUT_S
        )
        try:
            async with log as lines:
                async for line in lines:
                    await self._take_line(source, line)
        except NotFound:
            pass  # gone; the watch of the pods will say so, too
        except LlmgwError:
            # Not started yet, or the connection broke; a reader of what there is wants to know.
            if not self._extent.is_followed or not self._is_there(source.pod):
                raise
        return self._is_there(source.pod)

    def _is_there(self, name: str) -> bool:
        return any(pod.name == name for pod in self._view.pods)

    def _query(self, source: _Source) -> Mapping[str, str]:
        query = {"timestamps": "true"}
        if source.container:
            query["container"] = source.container
        if self._extent.is_followed:
            query["follow"] = "true"
        if source.last:
            # To the second, as the API reads it: what comes twice is left out by its time.
            query["sinceTime"] = f"{source.last[:19]}Z"
        elif not source.is_new:
            if self._extent.since_s is not None:
                query["sinceSeconds"] = str(max(1, math.ceil(self._extent.since_s)))
            if self._extent.tail is not None:
                query["tailLines"] = str(self._extent.tail)
        return query

    async def _take_line(self, source: _Source, raw: bytes) -> None:
        time, _, text = raw.decode("utf-8", "replace").partition(" ")
        if source.last and timestamps.order(time) <= timestamps.order(source.last):
            return
        source.last = time
        while len(source.lines) >= _KEPT_LINES:
            source.has_room.clear()
            await source.has_room.wait()
        self._append(source, time, text, None)

    def _note(self, source: _Source, note: str) -> None:
        self._append(source, timestamps.now(), "", note)

    def _append(self, source: _Source, time: str, line: str, note: str | None) -> None:
        source.lines.append(
            LogLine(pod=source.pod, container=source.container, time=time, line=line, note=note)
        )
        self._wake()

    def _wake(self) -> None:
        self._wakeup.set()

    async def _merge(self) -> None:
        """Hand out lines by their time, as far as the pods' own pace allows."""
        held_since: float | None = None
        while True:
            sources = list(self._sources.values())
            ready = [source for source in sources if source.lines]
            is_awaited = any(not source.lines and not source.is_ended for source in sources)
            if ready and not is_awaited:
                held_since = None
                await self._hand_out(min(ready, key=_head))
            elif not ready and not is_awaited and not self._extent.is_followed:
                return
            elif ready and self._extent.is_followed:
                held_since = anyio.current_time() if held_since is None else held_since
                rest_s = held_since + _GRACE_S - anyio.current_time()
                if not await self._wakeup.wait(max(rest_s, 0.0)):
                    held_since = None
                    await self._hand_out_all(ready)
            else:
                await self._wakeup.wait()

    async def _hand_out_all(self, ready: list[_Source]) -> None:
        """Give what is there by now; what comes meanwhile waits its turn."""
        counts = {source.pod: len(source.lines) for source in ready}
        while ready := [source for source in ready if counts[source.pod] > 0]:
            first = min(ready, key=_head)
            counts[first.pod] -= 1
            await self._hand_out(first)

    async def _hand_out(self, source: _Source) -> None:
        line = source.lines.popleft()
        source.has_room.set()
        await self._send.send(line)

    async def _container_of(self, pod: str) -> str:
        """Choose the container that serves; empty where there is no choice.

        Raises:
            LlmgwError: the pod cannot be read.
        """
        listed = await self._access.call(
            self._access.core.list_namespaced_pod,
            self._route.namespace,
            field_selector=f"metadata.name={pod}",
        )
        items, _ = objects.read_list(objects.AnnotatedPod, listed)
        ports = [each.port for each in self._view.endpoints if each.pod == pod]
        return serving_container(items[0], ports[0] if ports else None) if items else ""


def serving_container(pod: objects.AnnotatedPod, port: int | None) -> str:
    """Name the container to read: the annotated one, the port's, the first; "" for an only one."""
    containers = (pod.spec and pod.spec.containers) or ()
    names = [container.name or "" for container in containers]
    if len(names) < 2:
        return ""
    annotated = (pod.metadata.annotations or {}).get(_DEFAULT_CONTAINER)
    if annotated in names:
        return annotated
    for container in containers:
        if any(each.container_port == port for each in container.ports or ()):
            return container.name or ""
    return names[0]


def _head(source: _Source) -> str:
    return timestamps.order(source.lines[0]["time"])
