"""Follows a target: reports which pods it leads to, at first and at each change.

The decisions are in resolve.py; this is the loop that reads the target and follows its pods. Both
are watched once for all that want the same ones.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import anyio

from llmgwctl.rules.nearest import by_likeness
from llmgwctl.wire import ConditionKind
from llmgwd.cluster.api_errors import Forbidden, NotFound
from llmgwd.cluster.target import objects, resolve
from llmgwd.cluster.target.object_watch import SharedObjectWatch
from llmgwd.cluster.target.pod_watch import PodWatch
from llmgwd.cluster.target.pods import Pod, TargetView
from llmgwd.config.target import Target, TargetKind
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.rest import Operation
    from llmgwd.config.model import ClusterRoute

# Where the target cannot be watched, mostly for want of a permission. Pods that vanish or refuse
# have it read again at once, with or without a watch.
_REREAD_S = 15.0
# Suspicions may come by the dozen.
_REREAD_PAUSE_S = 1.0
# An edit by hand comes in one piece, one by a program often in several.
_SETTLE_S = 0.1
_MISSING_RETRY_S = 3.0
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
        self._object: SharedObjectWatch | None = None  # of what names the pods
        self._pods: PodWatch | None = None

    async def run(self, changed: Callable[[TargetView], None]) -> NoReturn:
        """Call `changed` with the first view and with each that differs from the one before.

        What is missing (namespace, target, port, pods) is reported in the view and waited for.

        Raises:
            Blocked: login, permission, TLS. Transient: the API server does not answer.
        """
        self._changed, self._reported = changed, None
        if self._target.kind in _POD_KINDS:
            await self._keep_observing()
        self._object = object_watch = self._access.shared_watch(
            (self._target.kind, self._namespace, self._target.name), self._new_object_watch
        )
        try:
            async with anyio.create_task_group() as group:
                with object_watch.followed(self.suspect):
                    group.start_soon(object_watch.run)
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
        if self._pods is not None:
            self._pods.refresh()
        if self._round is not None:
            self._round.cancel()

    async def _observe(self) -> None:
        """Read the target and follow its pods until the target changes."""
        selection = await self._read_target()
        if isinstance(selection, Blocked):
            self._report(TargetView((), (), problem=selection))
            await self._wait_for_repair()
            return
        self._pods = pods = self._access.shared_watch(
            (self._namespace, selection.selector, selection.pod_name),
            partial(
                PodWatch, self._access, self._namespace, selection.selector, selection.pod_name
            ),
        )
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._follow_pods, pods, selection)
                await self._await_change(selection)
                group.cancel_scope.cancel()
        except BaseExceptionGroup as caught:
            raise _first_of_ours(caught) from caught
        finally:
            self._pods = None

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
            is_watched = self._object.is_open if self._object else True
            await self._suspicion.wait(math.inf if is_watched else _REREAD_S)
            await anyio.sleep(_SETTLE_S)
            # The watch of the pods reports a lost login or network.
            with contextlib.suppress(LlmgwError):
                if await self._read_target() != selection:
                    return
            await anyio.sleep(_REREAD_PAUSE_S)

    async def _follow_pods(self, watch: PodWatch, selection: resolve.Selection) -> None:
        unexplained = Wakeup()

        def take() -> None:
            if not watch.pods and watch.is_listed and self._target.kind in _POD_KINDS:
                unexplained.set()
            elif watch.pods is not None:
                self._resolve(selection, watch.pods)

        with watch.followed(take):
            async with anyio.create_task_group() as group:
                group.start_soon(watch.run)
                take()
                while True:
                    await unexplained.wait()
                    # A role in a namespace seldom grants to look at the namespace itself.
                    with contextlib.suppress(Forbidden):
                        await self._check_namespace()
                    self._resolve(selection, watch.pods or {})

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

    def _new_object_watch(self) -> SharedObjectWatch:
        listed = self._operation("list", self._target.kind)
        return SharedObjectWatch(self._access, listed, self._namespace, self._target.name)

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


def _first_of_ours(caught: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a task group wrapped; only one task of ours can fail at a time."""
    inner = caught.exceptions[0]
    return _first_of_ours(inner) if isinstance(inner, BaseExceptionGroup) else inner
