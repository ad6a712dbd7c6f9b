"""Follows a target: reports which pods it leads to, at first and at each change.

The decisions are in resolve.py; this is the loop that reads the target, lists its pods, watches
them, and polls where a role does not grant `watch` or `list`.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import anyio

from llmgwctl.rules.nearest import by_likeness
from llmgwctl.wire import ConditionKind
from llmgwd.cluster.api_errors import Action, Forbidden, Gone, NotFound, refusal
from llmgwd.cluster.target import objects, resolve, watch_events
from llmgwd.cluster.target.object_watch import ObjectWatch
from llmgwd.cluster.target.pods import Pod, TargetView, parse_pod
from llmgwd.config.target import Target, TargetKind
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.system.coalesced import Coalesced
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.rest import Operation
    from llmgwd.config.model import ClusterRoute

# Short for a watch, so that a dead one (a laptop that slept) is noticed within a minute or so; an
# idle forward pays one request a minute for it.
WATCH_S = 50
_WATCH_GRACE_S = 10
# A server that ends each watch at once must not be asked in a busy loop.
_MIN_WATCH_S = 1.0
# Where the target cannot be watched, mostly for want of a permission. Pods that vanish or refuse
# have it read again at once, with or without a watch.
_REREAD_S = 15.0
# An edit by hand comes in one piece, one by a program often in several.
_SETTLE_S = 0.1
_POLL_S = 2.0
_RELIST_S = 0.05
_MISSING_RETRY_S = 3.0
# A rollout of hundreds of pods is thousands of events in a few seconds.
_RESOLVED_AT_ONCE, _RESOLVED_WITHIN_S = 5, 0.5
# The pods of one target: gateways have tens. Each that comes or goes is an event and is compared
# at each view, so a flood of names that never end is kept to this.
_MAX_PODS = 500
# As many near names as fit a sentence.
_OFFERED = 5
# Targets that name pods themselves: there is no object to read first.
_POD_KINDS = (TargetKind.POD, TargetKind.SELECTOR)
_CORE_KINDS = (TargetKind.SERVICE, TargetKind.POD)
# How the Kubernetes library spells them in the names of its operations.
_LIBRARY_NAMES = {
    TargetKind.SERVICE: "service",
    TargetKind.DEPLOYMENT: "deployment",
    TargetKind.STATEFUL_SET: "stateful_set",
    TargetKind.REPLICA_SET: "replica_set",
    TargetKind.DAEMON_SET: "daemon_set",
}


class TargetWatch:
    """One target of one namespace. `run` it once; `refresh` it where a change is suspected."""

    def __init__(self, access: ClusterAccess, namespace: str, target: Target, port: str) -> None:
        self._access = access
        self._namespace = namespace
        self._target = target
        self._port = port
        self._reported: TargetView | None = None
        self._changed: Callable[[TargetView], None] = lambda _: None
        self._round: anyio.CancelScope | None = None
        self._suspicion = Wakeup()
        self._object: ObjectWatch | None = None

    async def run(self, changed: Callable[[TargetView], None]) -> NoReturn:
        """Call `changed` with the first view and with each that differs from the one before.

        What is missing (namespace, target, port, pods) is reported in the view and waited for.

        Raises:
            Blocked: login, permission, TLS. Transient: the API server does not answer.
        """
        self._changed, self._reported = changed, None
        if self._target.kind in _POD_KINDS:
            await self._keep_observing()
        listed, name = self._operation("list", self._target.kind), self._target.name
        self._object = ObjectWatch(self._access, listed, self._namespace, name, self.suspect)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._object.run)
                await self._keep_observing()
        except BaseExceptionGroup as caught:
            raise _first_of_ours(caught) from caught
        raise AssertionError("unreachable")

    async def _keep_observing(self) -> NoReturn:
        while True:
            with anyio.CancelScope() as self._round:
                try:
                    await self._observe()
                except NotFound as missing:
                    self._report(TargetView((), (), problem=missing))
                    await self._wait_for_repair()

    async def _wait_for_repair(self) -> None:
        await self._suspicion.wait(_MISSING_RETRY_S)
        await anyio.sleep(_SETTLE_S)

    def suspect(self) -> None:
        """Read the target again now: it may lead elsewhere."""
        self._suspicion.set()

    def refresh(self) -> None:
        """Read and list everything again now: the machine woke up, or a tunnel was lost."""
        self._access.distrust_connections()
        if self._round is not None:
            self._round.cancel()

    async def _observe(self) -> None:
        """Read the target and follow its pods until the target changes."""
        selection = await self._read_target()
        if isinstance(selection, Blocked):
            self._report(TargetView((), (), problem=selection))
            await self._wait_for_repair()
            return
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._follow_pods, selection)
                await self._await_change(selection)
                group.cancel_scope.cancel()
        except BaseExceptionGroup as caught:
            raise _first_of_ours(caught) from caught

    async def _read_target(self) -> resolve.Selection | Blocked:
        """The pods to follow, or what about the target keeps us from it."""
        target = self._target
        if target.kind in _POD_KINDS:
            return resolve.select_directly(target, self._port)
        try:
            read = self._operation("read", target.kind)
            found = await self._access.call(read, target.name, self._namespace)
        except NotFound:
            return await self._missing()
        try:
            if target.kind is TargetKind.SERVICE:
                return resolve.select_by_service(found, self._port)
            return resolve.select_by_workload(target, found, self._port)
        except Blocked as mistake:
            return mistake

    async def _await_change(self, selection: resolve.Selection) -> None:
        """Return when the target leads elsewhere; read on suspicion, and at intervals unwatched."""
        while True:
            is_watched = self._object is not None and self._object.is_open
            await self._suspicion.wait(math.inf if is_watched else _REREAD_S)
            await anyio.sleep(_SETTLE_S)
            # The watch of the pods reports a lost login or network.
            with contextlib.suppress(LlmgwError):
                if await self._read_target() != selection:
                    return
            await anyio.sleep(_MIN_WATCH_S)

    async def _follow_pods(self, selection: resolve.Selection) -> NoReturn:
        query = _pods_query(selection)
        while True:
            try:
                pods, version = await self._list(selection, query)
            except Forbidden:
                if not selection.pod_name:
                    raise
                await self._poll_one(selection)
            self._resolve(selection, pods)
            try:
                await self._watch(selection, query, pods, version)
            except Gone:
                await anyio.sleep(_RELIST_S)
            except Forbidden:
                await anyio.sleep(_POLL_S)

    async def _list(
        self, selection: resolve.Selection, query: Mapping[str, str]
    ) -> tuple[dict[str, Pod], str]:
        list_pods = self._access.core.list_namespaced_pod
        listed = await self._access.call(list_pods, self._namespace, **query)
        items, version = objects.read_list(objects.PodObject, listed)
        pods = {pod.name: pod for pod in map(parse_pod, items[:_MAX_PODS])}
        if not pods and self._target.kind in _POD_KINDS:
            await self._check_namespace()
        return pods, version

    async def _watch(
        self,
        selection: resolve.Selection,
        query: Mapping[str, str],
        pods: dict[str, Pod],
        version: str,
    ) -> NoReturn:
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
                **query,
                watch=True,
                resource_version=version,
                allow_watch_bookmarks=True,
                timeout_seconds=WATCH_S,
                read_timeout_s=WATCH_S + _WATCH_GRACE_S,
            )
            resolve_pods = partial(self._resolve, selection, pods)
            try:
                async with watch as lines:
                    is_open = True
                    with Coalesced(
                        resolve_pods, _RESOLVED_AT_ONCE, _RESOLVED_WITHIN_S
                    ) as resolve_soon:
                        async for line in lines:
                            version = self._apply(line, pods) or version
                            resolve_soon()
            except Gone:
                raise
            except Transient:
                # A watch that was open breaks with its connection: go on where it was. If the
                # server is away, opening the next one says so.
                if not is_open:
                    raise
            if (rest := began + _MIN_WATCH_S - time.monotonic()) > 0:
                await anyio.sleep(rest)

    def _apply(self, line: bytes, pods: dict[str, Pod]) -> str:
        """Take one watch event into `pods`; return its resourceVersion, "" of one that is bad."""
        change = watch_events.read(line)
        if isinstance(change, watch_events.Failed):
            action = Action("watch", "pods", "", self._namespace)
            raise refusal(action, change.status, change.body, {}, self._access.login_remedy)
        if change is None:
            return ""
        if change.pod is not None:
            if change.pod.name in pods or len(pods) < _MAX_PODS:
                pods[change.pod.name] = change.pod
        else:
            pods.pop(change.gone, None)
        return change.version

    async def _poll_one(self, selection: resolve.Selection) -> NoReturn:
        """Poll one pod: a role with only `get` allows no more."""
        read_pod = self._access.core.read_namespaced_pod
        while True:
            try:
                found = await self._access.call(read_pod, selection.pod_name, self._namespace)
                pod = parse_pod(found)
                self._resolve(selection, {pod.name: pod})
            except NotFound:
                self._resolve(selection, {})
            await anyio.sleep(_POLL_S)

    def _resolve(self, selection: resolve.Selection, pods: Mapping[str, Pod]) -> None:
        found, kubectl = pods.values(), self._access.kubectl
        view = resolve.view(self._target, selection, self._namespace, found, kubectl)
        if not view.endpoints:
            self._suspicion.set()
        self._report(view)

    def _report(self, view: TargetView) -> None:
        if not view.is_same_as(self._reported):
            self._reported = view
            self._changed(view)

    async def _missing(self) -> Blocked:
        """Say whether the namespace is missing or the target in it, and what is like it."""
        try:
            await self._check_namespace()
        except NotFound as missing:
            return missing
        except LlmgwError:
            pass  # a role in a namespace seldom grants to look at the namespace itself
        kind, name = self._target.kind, self._target.name
        near = await self._nearest(name, self._operation("list", kind), self._namespace)
        listed = self._access.kubectl.command("get", kind.plural, namespace=self._namespace)
        return Blocked(
            ConditionKind.TARGET_MISSING,
            f"there is no {self._target} in namespace {self._namespace} "
            f"of cluster {self._access.cluster}",
            f"There is {near}." if near else listed,
        )

    async def _check_namespace(self) -> None:
        """Raises NotFound: there is no such namespace."""
        try:
            await self._access.call(self._access.core.read_namespace, self._namespace)
        except NotFound as missing:
            near = await self._nearest(self._namespace, self._access.core.list_namespace)
            raise NotFound(
                ConditionKind.NAMESPACE_MISSING,
                f"there is no namespace {self._namespace} in cluster {self._access.cluster} "
                f"(context {self._access.context})",
                f"There is {near}." if near else self._access.kubectl.command("get", "namespaces"),
            ) from missing

    async def _nearest(self, wanted: str, operation: Operation, *arguments: str) -> str:
        """Names like the wanted one, or "" where there are none or none may be seen."""
        try:
            listed = await self._access.call(operation, *arguments, limit=200)
            items, _ = objects.read_list(objects.NamedObject, listed)
        except LlmgwError:
            return ""
        names = [item.metadata.name for item in items]
        return ", ".join(by_likeness(wanted, names)[:_OFFERED])

    def _operation(self, verb: str, kind: TargetKind) -> Operation:
        """The library's operation on a kind of object, such as read_namespaced_service."""
        api = self._access.core if kind in _CORE_KINDS else self._access.apps
        operation: Operation = getattr(api, f"{verb}_namespaced_{_LIBRARY_NAMES[kind]}")
        return operation


async def first_view(access: ClusterAccess, route: ClusterRoute) -> TargetView:
    """Resolve a target as a forward does, once; raises as `TargetWatch.run`."""
    found: list[TargetView] = []
    with anyio.CancelScope() as scope:

        def take(view: TargetView) -> None:
            found.append(view)
            scope.cancel()

        await TargetWatch(access, route.namespace, route.target, route.port).run(take)
    return found[0]


def _pods_query(selection: resolve.Selection) -> dict[str, str]:
    if selection.pod_name:
        return {"field_selector": f"metadata.name={selection.pod_name}"}
    return {"label_selector": selection.selector}


def _first_of_ours(caught: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a task group wrapped; only one task of ours can fail at a time."""
    inner = caught.exceptions[0]
    return _first_of_ours(inner) if isinstance(inner, BaseExceptionGroup) else inner
