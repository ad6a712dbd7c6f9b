"""The route through a cluster: a login, a target that is followed, and tunnels to its pods.

The three live and fail apart. A login that expired or an API server that went away ends neither
the tunnels that stand nor the connections in them; a kubeconfig that became unreadable does not
take away the access that was read from it before.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import anyio

from llmgwctl.rules import timestamps
from llmgwctl.wire import ConditionKind, PodStatus, RouteKind, RouteStatus
from llmgwd.cluster.access import kubeconfig_paths, open_access
from llmgwd.cluster.target_watch import TargetWatch
from llmgwd.cluster.upgrade import UpgradeChooser
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.relay.splice import carry
from llmgwd.system.backoff import CLUSTER_WAIT, Backoff
from llmgwd.system.wakeup import Wakeup
from llmgwd.tunnel.pool import TunnelPool

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.pods import Endpoint, TargetView
    from llmgwd.cluster.upgrade import Upgraded
    from llmgwd.config.model import ClusterRoute
    from llmgwd.relay.connection import LocalConnection
    from llmgwd.relay.route import Admission
    from llmgwd.system.file_watch import WatchedFiles

NAME: Final = "kubernetes"

# So many failures in a row are told even while other tunnels serve.
WORTH_TELLING: Final = 3
# A dial that succeeds is news to a watch that could not reach the API server, told this long after
# it tried: a server that lets tunnels in and nothing else is not asked all the time.
RETRY_AFTER_DIAL_S: Final = 1.0
# What a dial says of a pod that has just gone, before the watch tells of it.
_PODS_OWN: Final = (ConditionKind.TARGET_MISSING, ConditionKind.DIAL_REFUSED)


class RouteOwner(Protocol):
    """The forward, as its routes see it. Calls come from the event loop."""

    def changed(self) -> None:
        """Something about a route is not as it was; ask it."""

    def lost(self, cause: LlmgwError) -> None:
        """The route carries nothing any more."""

    def pods_changed(
        self, gained: list[str], lost: list[str], whereto: TargetView, before: TargetView | None
    ) -> None: ...

    def led_elsewhere(self, before: ClusterAccess, after: ClusterAccess) -> None:
        """The kubeconfig names another cluster or context now."""

    def drain_started(self, pod: str, streams: int) -> None: ...

    def drain_ended(self, pod: str) -> None: ...

    def dialled(self, seconds: float) -> None:
        """A tunnel was dialled, and took so long."""

    def is_waited_for(self) -> bool:
        """Are connections held?"""


class KubernetesRoute:
    """One `ClusterRoute`, kept up for as long as `run` runs."""

    def __init__(
        self,
        config: ClusterRoute,
        owner: RouteOwner,
        admission: Admission,
        files: WatchedFiles,
        tunnel_limit: int,
    ) -> None:
        self.config = config
        self.since = anyio.current_time()
        self.since_text = timestamps.now()
        self._owner = owner
        self._admission = admission
        self._files = files
        self._wakeup = Wakeup()
        self._backoff = Backoff(self._wakeup, self._watch_failed, self._is_wanted)
        self._upgrades = UpgradeChooser()
        self._access: ClusterAccess | None = None
        self._watch: TargetWatch | None = None
        self._attempt: anyio.CancelScope | None = None
        self._is_stale = False
        self._view: TargetView | None = None
        self._viewed_by: ClusterAccess | None = None
        self._watch_error: LlmgwError | None = None
        self._reread_error: LlmgwError | None = None
        self._retry_at: float | None = None
        self._watch_failed_at = 0.0
        self._watch_comes_again = False
        self._was_up = False
        self._down_by: LlmgwError | None = None
        self.pool = TunnelPool(self._dial, self, CLUSTER_WAIT, owner.is_waited_for, tunnel_limit)

    # What a forward asks.

    @property
    def kind(self) -> RouteKind:
        return RouteKind.KUBERNETES

    @property
    def name(self) -> str:
        return NAME

    @property
    def is_up(self) -> bool:
        return self.pool.is_up

    @property
    def namespace(self) -> str:
        return self.config.namespace

    @property
    def access(self) -> ClusterAccess | None:
        """The cluster as it is reached now; None while no kubeconfig could be read."""
        return self._access

    @property
    def view(self) -> TargetView | None:
        return self._view

    @property
    def is_on_last_resort(self) -> bool:
        return self.is_up and self._view is not None and self._view.is_last_resort

    @property
    def attempts(self) -> int:
        return max(self._backoff.failures, self.pool.dials.attempts)

    @property
    def retry_at(self) -> float | None:
        """When the next attempt comes, on the loop's clock."""
        times_known = [at for at in (self._retry_at, self.pool.dials.retry_at) if at is not None]
        return min(times_known, default=None)

    def problems(self) -> list[LlmgwError]:
        """What is wrong right now, whether it keeps the route down or only will."""
        view_problem = None if self._view is None else self._view.problem
        found = [self._reread_error, view_problem]
        if not self._is_passing(self._watch_error, self._backoff.failures):
            found.append(self._watch_error)
        # Where there is nothing to dial, what the last dial said is history.
        dials = self.pool.dials
        if view_problem is None and not self._is_passing(dials.last_error, dials.attempts):
            found.append(dials.last_error)
        standing = [error for error in found if error is not None]
        if not standing and not self.is_up and self._down_by is not None:
            return [self._down_by]
        return standing

    def _is_passing(self, error: LlmgwError | None, failures: int) -> bool:
        """While tunnels stand, one failed try is nothing to tell anybody."""
        if not self.is_up or error is None:
            return False
        return failures < WORTH_TELLING if isinstance(error, Transient) else error.code in _PODS_OWN

    def carry(self, connection: LocalConnection) -> None:
        carry(connection, self.pool, self._admission)

    # What a forward says.

    def retry_now(self) -> None:
        """There is news: try all that waits, at once."""
        self._upgrades.forget()
        self._wakeup.set()
        self.pool.retry_now()
        if self._watch is not None:
            self._watch.refresh()

    async def check_all(self) -> None:
        """The machine slept, or the network is another: trust nothing that stood before."""
        self.retry_now()
        await self.pool.check_all()

    def retire(self) -> None:
        """Take nothing new; what is carried goes on until `run` is cancelled."""
        self.pool.set_endpoints(())

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.pool.run)
                tasks.start_soon(self._backoff.keep, self._attend)
        finally:
            self._files.forget((self, "kubeconfig"))
            self._files.forget((self, "login"))
            access, self._access, self._viewed_by = self._access, None, None
            with anyio.CancelScope(shield=True):
                if access is not None:
                    await access.close()

    # Following the target.

    async def _attend(self) -> NoReturn:
        while True:
            with anyio.CancelScope() as self._attempt:
                await self._have_access()
                assert self._access is not None
                await self._follow(self._access)

    async def _have_access(self) -> None:
        """Read the kubeconfig if that was not done, or if it changed since."""
        if self._access is not None and not self._is_stale:
            return
        self._is_stale = False
        paths = kubeconfig_paths(self.config.kubeconfig, os.environ)
        self._files.follow((self, "kubeconfig"), paths, self._kubeconfig_changed)
        try:
            access = await open_access(self.config.kubeconfig, self.config.context)
        except Blocked as error:
            if self._access is None:
                raise
            self._reread_error = error
            self._owner.changed()
            return
        self._reread_error = None
        await self._adopt(access, paths)

    async def _adopt(self, access: ClusterAccess, paths: tuple[str, ...]) -> None:
        before, self._access = self._access, access
        login_files = [file for file in access.credential_files if file not in paths]
        self._files.follow((self, "login"), login_files, self._login_changed)
        if before is None:
            return
        if (before.context, before.server) != (access.context, access.server):
            self._upgrades.forget()
            self._owner.led_elsewhere(before, access)
        await before.close()

    async def _follow(self, access: ClusterAccess) -> NoReturn:
        self._watch = TargetWatch(
            access, self.config.namespace, self.config.target, self.config.port
        )

        def changed(view: TargetView) -> None:
            self._see(view, access)

        try:
            await self._watch.run(changed)
        finally:
            self._watch = None

    def _see(self, view: TargetView, access: ClusterAccess) -> None:
        before, self._view = self._view, view
        self._viewed_by = access
        self._watch_error = None
        self._retry_at = None
        known = {endpoint.pod for endpoint in before.endpoints} if before else set()
        there = {endpoint.pod for endpoint in view.endpoints}
        self._owner.pods_changed(sorted(there - known), sorted(known - there), view, before)
        self.pool.set_endpoints(view.endpoints)
        self._owner.changed()

    def _watch_failed(self, error: LlmgwError, _failures: int, retry_in_s: float) -> None:
        self._watch_error = error
        self._watch_failed_at = anyio.current_time()
        self._retry_at = self._watch_failed_at + retry_in_s
        self._owner.changed()

    def _kubeconfig_changed(self) -> None:
        self._is_stale = True
        self._wakeup.set()
        self.pool.retry_now()
        if self._attempt is not None:
            self._attempt.cancel()

    def _login_changed(self) -> None:
        if self._access is not None:
            self._access.forget_login()
        self.retry_now()

    async def _dial(self, endpoint: Endpoint) -> Upgraded:
        # The access that found the endpoint: another cluster has no such pod.
        if self._viewed_by is None:
            raise Transient(ConditionKind.API_SERVER_UNREACHABLE, "No pod is known yet.")
        access = self._viewed_by
        if access is not self._access and self._access is not None:
            is_same_server = access.server == self._access.server
            access = self._access if is_same_server else access
        began = anyio.current_time()
        upgraded = await self._upgrades.dial(access, endpoint)
        ended = anyio.current_time()
        self._owner.dialled(ended - began)
        if isinstance(self._watch_error, Transient) and began > self._watch_failed_at:
            self._watch_again(self._watch_failed_at + RETRY_AFTER_DIAL_S)
        return upgraded

    def _watch_again(self, at: float) -> None:
        """A dial came through: so may the watch that failed before it."""
        if self._watch_comes_again:
            return
        self._watch_comes_again = True

        def tell() -> None:
            self._watch_comes_again = False
            if self._watch_error is not None:
                self._wakeup.set()

        asyncio.get_running_loop().call_at(at, tell)

    def _is_wanted(self) -> bool:
        """Is somebody there for whom asking more often may be worth it?"""
        return self._owner.is_waited_for() or self.pool.is_in_use

    # As the observer of the pool.

    def up(self) -> None:
        self._mark_standing()

    def down(self, cause: LlmgwError) -> None:
        self._mark_standing()
        problem = None if self._view is None else self._view.problem
        self._down_by = problem or cause
        self._owner.lost(self._down_by)

    def dial_failed(self, error: LlmgwError, attempts: int, retry_in_s: float) -> None:
        self._owner.changed()

    def drain_started(self, pod: str, streams: int) -> None:
        self._owner.drain_started(pod, streams)

    def drain_ended(self, pod: str) -> None:
        self._owner.drain_ended(pod)

    def _mark_standing(self) -> None:
        if self.pool.is_up != self._was_up:
            self._was_up = self.pool.is_up
            self.since, self.since_text = anyio.current_time(), timestamps.now()
        self._owner.changed()

    # For people.

    def status(self, clock: Callable[[float], str]) -> RouteStatus:
        """`clock` turns the loop's time into a written one."""
        retry_at = self.retry_at
        access = self._access
        return {
            "kind": self.kind.value,
            "name": self.name,
            "is_up": self.is_up,
            "is_active": False,
            "context": access.context if access else self.config.context,
            "cluster": access.cluster if access else None,
            "namespace": self.config.namespace,
            "target": str(self.config.target),
            "port": self.config.port,
            "way": self.pool.way.value if self.pool.way else None,
            "pods": self._pods(),
            "tunnels": self.pool.counts(),  # type: ignore[typeddict-item]
            "since": self.since_text,
            "attempts": self.attempts,
            "retry_at": None if retry_at is None or self.is_up else clock(retry_at),
            "round_trip_s": self.pool.round_trip_s,
        }

    def _pods(self) -> list[PodStatus]:
        """The target's pods, and those that are gone from it but still drain."""
        used = self.pool.by_pod()
        pods = self._view.pods if self._view else ()
        listed: list[PodStatus] = []
        for pod in pods:
            tunnels, streams = used.pop(pod.name, (0, 0))
            listed.append(
                {
                    "name": pod.name,
                    "ready": pod.is_ready,
                    "terminating": pod.is_terminating,
                    "tunnels": tunnels,
                    "streams": streams,
                }
            )
        for name, (tunnels, streams) in used.items():
            listed.append(
                {
                    "name": name,
                    "ready": False,
                    "terminating": True,
                    "tunnels": tunnels,
                    "streams": streams,
                }
            )
        return listed
