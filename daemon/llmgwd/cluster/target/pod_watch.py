"""Lists and watches the pods of one selector, or one pod; polls where a role allows no more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import anyio

from llmgwd.cluster.api_errors import Action, Forbidden, Gone, NotFound, refusal
from llmgwd.cluster.target import objects, watch_events
from llmgwd.cluster.target.pods import Pod, parse_pod
from llmgwd.cluster.target.shared_watch import SharedWatch
from llmgwd.cluster.target.watch_events import Change
from llmgwd.errors import Transient
from llmgwd.system.coalesced import Coalesced

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess

# Short for a watch, so that a dead one (a laptop that slept) is noticed within a minute or so; an
# idle forward pays one request a minute for it.
WATCH_S = 50
_WATCH_GRACE_S = 10
# A server that ends each watch at once must not be asked in a busy loop.
_MIN_WATCH_S = 1.0
_POLL_S = 2.0
_RELIST_S = 0.05
# A rollout of hundreds of pods is thousands of events in a few seconds.
_REPORTED_AT_ONCE, _REPORTED_WITHIN_S = 5, 0.5
# The pods of one target: gateways have tens. Each that comes or goes is an event and is compared
# at each view, so a flood of names that never end is kept to this.
_MAX_PODS = 500


class PodWatch(SharedWatch):
    """Of one namespace: the pods that `selector` matches, or the one named `pod`."""

    def __init__(self, access: ClusterAccess, namespace: str, selector: str, pod: str) -> None:
        super().__init__()
        self.pods: dict[str, Pod] | None = None  # by name; None: not listed yet
        self.is_listed = False  # or polled
        self._access = access
        self._namespace = namespace
        self._pod = pod
        self._query = (
            {"field_selector": f"metadata.name={pod}"} if pod else {"label_selector": selector}
        )
        self._round: anyio.CancelScope | None = None

    def refresh(self) -> None:
        """List again now, on a connection that is not older than this."""
        if self._round is not None:
            self._round.cancel()

    async def _hold(self) -> NoReturn:
        while True:
            with anyio.CancelScope() as self._round:
                await self._list_and_watch()

    def _forget(self) -> None:
        self.pods, self.is_listed = None, False

    async def _list_and_watch(self) -> NoReturn:
        """Raises Forbidden: not even that one pod may be read; Transient; as `Rest.call`."""
        while True:
            try:
                pods, version = await self._list()
            except Forbidden:
                if not self._pod:
                    raise
                await self._poll()
            self.is_listed = True
            self._now_there_are(pods)
            try:
                await self._watch(pods, version)
            except Gone:
                await anyio.sleep(_RELIST_S)
            except Forbidden:
                await anyio.sleep(_POLL_S)

    async def _list(self) -> tuple[dict[str, Pod], str]:
        list_pods = self._access.core.list_namespaced_pod
        listed = await self._access.call(list_pods, self._namespace, **self._query)
        items, version = objects.read_list(objects.PodObject, listed)
        return {pod.name: pod for pod in map(parse_pod, items[:_MAX_PODS])}, version

    async def _poll(self) -> NoReturn:
        read_pod = self._access.core.read_namespaced_pod
        while True:
            try:
                pod = parse_pod(await self._access.call(read_pod, self._pod, self._namespace))
                self._now_there_are({pod.name: pod})
            except NotFound:
                self._now_there_are({})
            await anyio.sleep(_POLL_S)

    async def _watch(self, pods: dict[str, Pod], version: str) -> NoReturn:
        """Apply changes as they come, over as many watches as it takes.

        Raises:
            Gone: list again. Forbidden: no `watch` for this login. Transient: not reachable.
        """
        while True:
            began = time.monotonic()
            is_open = False
            watch = self._access.stream(
                self._access.core.list_namespaced_pod,
                self._namespace,
                **self._query,
                watch=True,
                resource_version=version,
                allow_watch_bookmarks=True,
                timeout_seconds=WATCH_S,
                read_timeout_s=WATCH_S + _WATCH_GRACE_S,
            )
            try:
                async with watch as lines:
                    is_open = True
                    with Coalesced(
                        self._report, _REPORTED_AT_ONCE, _REPORTED_WITHIN_S
                    ) as report_soon:
                        async for line in lines:
                            change = self._read(line)
                            version = change.version or version
                            if _apply(change, pods):
                                report_soon()
            except Gone:
                raise
            except Transient:
                # A watch that was open breaks with its connection: go on where it was. If the
                # server is away, opening the next one says so.
                if not is_open:
                    raise
            if (rest := began + _MIN_WATCH_S - time.monotonic()) > 0:
                await anyio.sleep(rest)

    def _read(self, line: bytes) -> Change:
        """Read one event of the watch; one that is bad changes nothing, not even the version."""
        change = watch_events.read(line)
        if isinstance(change, watch_events.Failed):
            action = Action("watch", "pods", "", self._namespace)
            raise refusal(action, change.status, change.body, {}, self._access.login_remedy)
        return change or Change(version="")

    def _now_there_are(self, pods: dict[str, Pod]) -> None:
        self.pods = pods
        self._report()


def _apply(change: Change, pods: dict[str, Pod]) -> bool:
    """Take a change into `pods`; return whether it was one."""
    if change.pod is None:
        return pods.pop(change.gone, None) is not None
    if change.pod.name not in pods and len(pods) >= _MAX_PODS:
        return False
    pods[change.pod.name] = change.pod
    return True
