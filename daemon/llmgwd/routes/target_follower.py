"""Follows a route's target for as long as the route lives: login, watch, and trying again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

import anyio

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.target.target_watch import TargetWatch
from llmgwd.errors import LlmgwError, Transient
from llmgwd.relay.route_events import PodAdded, PodLost
from llmgwd.system.backoff import Backoff
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.target.pods import TargetView
    from llmgwd.config.model import ClusterRoute
    from llmgwd.relay.route_events import RouteEvents
    from llmgwd.routes.followed_access import FollowedAccess

# A dial that succeeds proves that the API server can be reached: a watch that failed before the
# dial began is tried again, but not sooner than this after its failure. A server that takes tunnels
# and refuses all else would otherwise be asked at each dial.
RETRY_AFTER_DIAL_S: Final = 1.0
# What a person had to cure, and has, if a dial comes through.
_DISPROVED: Final = (
    ConditionKind.TLS_UNTRUSTED,
    ConditionKind.LOGIN_EXPIRED,
    ConditionKind.LOGIN_PLUGIN_FAILED,
)


@dataclass(frozen=True, slots=True)
class WatchFailure:
    """All times are on the loop's clock; `since` is the first failure's in a row."""

    error: LlmgwError
    since: float
    failed_at: float
    retry_at: float


class TargetFollower:
    """Gives the latest view of a target; `seen` is called with each. `is_wanted` says whether a
    client is there for whom asking more often may be worth it.
    """

    def __init__(
        self,
        config: ClusterRoute,
        access: FollowedAccess,
        events: RouteEvents,
        seen: Callable[[TargetView], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        self.view: TargetView | None = None
        self.viewed_by: ClusterAccess | None = None
        self.failure: WatchFailure | None = None
        self._config = config
        self._access = access
        self._events = events
        self._seen = seen
        self._wakeup = Wakeup()
        self._backoff = Backoff(self._wakeup, self._failed, is_wanted)
        self._watch: TargetWatch | None = None
        self._attempt: anyio.CancelScope | None = None
        self._is_retry_planned = False

    @property
    def failures(self) -> int:
        """How many there were in a row."""
        return self._backoff.failures

    @property
    def problem(self) -> LlmgwError | None:
        """What is wrong with the target itself."""
        return None if self.view is None else self.view.problem

    async def run(self) -> NoReturn:
        await self._backoff.keep(self._follow_for_ever)

    def retry_now(self) -> None:
        """Try at once what waits, and list everything again."""
        self._wakeup.set()
        if self._watch is not None:
            self._watch.refresh()

    def suspect(self) -> None:
        """Have the target read again: its pods refuse, or none of them can be reached."""
        if self._watch is not None:
            self._watch.suspect()

    def begin_again(self) -> None:
        """Read the kubeconfig anew: it changed."""
        self._wakeup.set()
        if self._attempt is not None:
            self._attempt.cancel()

    def dial_succeeded(self, began_at: float) -> None:
        """Try again soon if the API server could not be reached, or did not know the login: a dial
        that began since could, and its login was known.
        """
        failure = self.failure
        if failure is None:
            return
        if not isinstance(failure.error, Transient) and failure.error.code not in _DISPROVED:
            return
        if began_at > failure.failed_at and not self._is_retry_planned:
            self._is_retry_planned = True
            at = failure.failed_at + RETRY_AFTER_DIAL_S
            asyncio.get_running_loop().call_at(at, self._retry_as_planned)

    def _retry_as_planned(self) -> None:
        self._is_retry_planned = False
        if self.failure is not None:
            self._backoff.hasten()

    async def _follow_for_ever(self) -> NoReturn:
        while True:
            with anyio.CancelScope() as self._attempt:
                await self._follow(await self._access.read())

    async def _follow(self, access: ClusterAccess) -> NoReturn:
        config = self._config
        self._watch = TargetWatch(access, config.namespace, config.target, config.port)

        def changed(view: TargetView) -> None:
            self._see(view, access)

        try:
            await self._watch.run(changed)
        finally:
            self._watch = None

    def _see(self, view: TargetView, access: ClusterAccess) -> None:
        before, self.view = self.view, view
        self.viewed_by = access
        self.failure = None
        self._report_pods(before, view)
        self._seen(view)
        self._events.changed()

    def _report_pods(self, before: TargetView | None, view: TargetView) -> None:
        known = {endpoint.pod for endpoint in before.endpoints} if before else set()
        there = {endpoint.pod for endpoint in view.endpoints}
        is_elsewhere = before is not None and before.leads_to != view.leads_to
        for pod in sorted(there - known):
            self._events.record(PodAdded(pod))
        for pod in sorted(known - there):
            why = "is not of the target any more" if is_elsewhere else _why_lost(pod, view)
            self._events.record(PodLost(pod, why))

    def _failed(self, error: LlmgwError, _failures: int, retry_in_s: float) -> None:
        now = anyio.current_time()
        since = now if self.failure is None else self.failure.since
        self.failure = WatchFailure(error, since, now, now + retry_in_s)
        self._events.changed()


def _why_lost(name: str, view: TargetView) -> str:
    pod = next((pod for pod in view.pods if pod.name == name), None)
    if pod is None:
        return "is gone"
    return "is being ended" if pod.is_terminating else "is not ready any more"
