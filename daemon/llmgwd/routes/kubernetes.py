"""The route through a cluster: a login, a target that is followed, and tunnels to its pods.

The three live and fail apart. A login that expired or an API server that went away ends neither
the tunnels that stand nor the connections in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.wire import ConditionKind, PodStatus, RouteKind, RouteStatus
from llmgwd.cluster.target.resolve import explained
from llmgwd.cluster.upgrade import UpgradeChooser, node_failing
from llmgwd.errors import LlmgwError, Transient
from llmgwd.net.http1_heads import forwarded_request
from llmgwd.relay.http.kept_request import origin_form
from llmgwd.relay.route_events import ClusterChanged, EventsUntilRetired, RouteLost, TunnelDialled
from llmgwd.routes.target_follower import TargetFollower
from llmgwd.system.backoff import CLUSTER_WAIT
from llmgwd.telemetry import wall_time
from llmgwd.tunnel.pool import TunnelPool

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.target.pods import Endpoint, TargetView
    from llmgwd.cluster.upgrade import Upgraded
    from llmgwd.config.model import ClusterRoute
    from llmgwd.net.http1_heads import Head, RequestLine
    from llmgwd.relay.route import Stream, StreamOwner
    from llmgwd.relay.route_events import RouteEvents
    from llmgwd.routes.followed_access import Accesses

# What still fails after this long is reported even while other tunnels serve. A time and no count
# of failures: news (a file that a login program writes, say) begin a count anew, and the condition
# then went and came at each, though its cause stood.
PASSING_S: Final = 1.0
# What a dial says of a pod that has just gone, before the watch reports it.
_OF_A_POD_THAT_WENT: Final = (ConditionKind.TARGET_MISSING, ConditionKind.DIAL_REFUSED)


class KubernetesRoute:
    """One `ClusterRoute`, kept up for as long as `run` runs.

    `has_demand` says whether a client waits for any route.
    """

    kind = RouteKind.KUBERNETES
    name = "kubernetes"
    carries_raw = True

    def __init__(
        self,
        config: ClusterRoute,
        events: RouteEvents,
        has_demand: Callable[[], bool],
        accesses: Accesses,
        tunnel_limit: int,
    ) -> None:
        self.config = config
        self.since = anyio.current_time()
        self.pool = TunnelPool(
            self._dial, self, events, CLUSTER_WAIT, has_demand, tunnel_limit, self._unanswered
        )
        self._events = events = EventsUntilRetired(events)
        self._following: anyio.CancelScope | None = None
        self._has_demand = has_demand
        self._upgrades = UpgradeChooser()
        self._access = accesses.of(config)
        self._target = TargetFollower(config, self._access, events, self._see, self._is_wanted)
        self._since_text = wall_time.now()
        self._endpoints: tuple[Endpoint, ...] = ()
        self._down_by: LlmgwError | None = None

    # What a forward asks.

    @property
    def is_up(self) -> bool:
        return self.pool.is_up

    @property
    def access(self) -> ClusterAccess | None:
        """The cluster as it is reached now; None while no kubeconfig could be read."""
        return self._access.current

    @property
    def last_resort(self) -> LlmgwError | None:
        view = self._target.view
        return view.last_resort if view is not None and self.is_up else None

    @property
    def is_carrying(self) -> bool:
        return any(streams for _, streams in self.pool.by_pod().values())

    @property
    def attempts(self) -> int:
        return max(self._target.failures, self.pool.dials.attempts)

    @property
    def retry_at(self) -> float | None:
        failure = self._target.failure
        times = (None if failure is None else failure.retry_at, self.pool.dials.retry_at)
        return min((at for at in times if at is not None), default=None)

    def problems(self) -> list[LlmgwError]:
        """Give what is wrong: with the kubeconfig, the target, its watch, and the dials, in this
        order, which is that of cause and consequence.

        What brought the route down stands in none of them any more once a dial is under way, so
        it is remembered until something newer is known.
        """
        target = self._target
        # Where there is nothing to dial, what the last dial said is history.
        dial = None if target.problem is not None else self.pool.dials.failure
        found = [self._access.error, target.problem]
        found += [
            each.error
            for each in (target.failure, dial)
            if each is not None and not self._is_passing(each.error, each.since)
        ]
        standing = [error for error in found if error is not None]
        if not standing and not self.is_up and self._down_by is not None:
            return [self._down_by]
        return standing

    def _is_passing(self, error: LlmgwError, since: float) -> bool:
        """Say whether tunnels stand and an error will most likely be gone in a moment. What comes
        of it when that moment is over no one reports: a forward asks again while a retry is due.

        API servers close watches when they restart, and a pod that has just gone refuses dials
        until the watch reports it. A condition for each of these would turn a forward that serves
        to `degraded` and back at every rollout, and hide the one that matters.
        """
        if error.code == ConditionKind.NO_PODS and error is self.pool.dials.last_error:
            # Of a pod that the view still has: what is so now, the next view says.
            return True
        if not self.is_up:
            return False
        if not isinstance(error, Transient):
            return error.code in _OF_A_POD_THAT_WENT
        return anyio.current_time() < since + PASSING_S

    # As a route of the relay.

    def open(self, owner: StreamOwner) -> None:
        self.pool.open(owner)

    def withdraw(self, owner: StreamOwner) -> None:
        self.pool.withdraw(owner)

    def refused(self, stream: Stream, cause: LlmgwError) -> None:
        self._target.suspect()
        if stream.pod is not None:
            self.pool.refused(stream.pod, self._explained(stream.pod, cause))

    def request_head(self, head: Head, line: RequestLine) -> Head:
        return forwarded_request(head, line, origin_form(line.target))

    def response_head(self, head: Head) -> Head:
        return head

    def _explained(self, pod: str, cause: LlmgwError) -> LlmgwError:
        view, access = self._target.view, self._target.viewed_by
        if view is None or access is None:
            return cause
        config = self.config
        found = view.pod(pod)
        return explained(cause, config.target, found, config.namespace, access.kubectl)

    # What a forward says.

    def retry_now(self) -> None:
        self._upgrades.forget()
        self.pool.retry_now()
        self._target.retry_now()

    async def check_all(self) -> None:
        self.retry_now()
        await self.pool.check_all()

    def forget_login(self) -> None:
        self._access.expire()

    def retire(self) -> None:
        """Take nothing new, follow no pods; what is carried goes on until `run` is cancelled."""
        self.pool.set_endpoints(())
        self._events.close()
        if self._following is not None:
            self._following.cancel()

    async def run(self) -> None:
        async with self._access.used_by(self), anyio.create_task_group() as tasks:
            tasks.start_soon(self.pool.run)
            if not self._events.is_closed:
                with anyio.CancelScope() as self._following:
                    await self._target.run()

    # As a user of its access.

    def access_expired(self) -> None:
        self.pool.retry_now()
        self._target.begin_again()

    def login_changed(self) -> None:
        self.retry_now()

    def access_replaced(self, before: ClusterAccess, after: ClusterAccess) -> None:
        self.pool.dials.abandon()
        if (before.context, before.server) != (after.context, after.server):
            self._upgrades.forget()
            self._events.record(ClusterChanged(_place(before), _place(after)))

    def access_questioned(self) -> None:
        self._events.changed()

    # What its parts report.

    def _see(self, view: TargetView) -> None:
        """Dial what the target leads to now; what brought the route down was about other pods."""
        if view.endpoints != self._endpoints:
            self._endpoints, self._down_by = view.endpoints, None
        self.pool.set_endpoints(view.endpoints)

    def _is_wanted(self) -> bool:
        return self._has_demand() or self.pool.is_in_use

    async def _dial(self, endpoint: Endpoint) -> Upgraded:
        access = self._access_to_dial()
        began_at = anyio.current_time()
        upgraded = await self._upgrades.dial(access, endpoint)
        self._events.record(TunnelDialled(anyio.current_time() - began_at))
        if access is self._access.current:
            self._target.dial_succeeded(began_at)
        return upgraded

    def _unanswered(self, endpoint: Endpoint, within_s: float, others_answer: bool) -> LlmgwError:
        access = self._access_to_dial()
        if others_answer:
            silence = f"no answer within {within_s:.0f} s"
            return node_failing(endpoint, silence, access.kubectl)
        return access.unanswered(within_s)

    def _access_to_dial(self) -> ClusterAccess:
        """Give the access for the endpoints at hand: another cluster has no such pods.

        After the kubeconfig was switched to another cluster the old view stands until the new
        one's first; a dial in between belongs to the old cluster. For the same server the newest
        access is right, because only it has the login that was renewed.
        """
        viewed_by, current = self._target.viewed_by, self._access.current
        if viewed_by is None:
            raise Transient(ConditionKind.API_SERVER_UNREACHABLE, "No pod is known yet.")
        is_same_server = current is not None and viewed_by.server == current.server
        return current if current is not None and is_same_server else viewed_by

    def up(self) -> None:
        self._mark_turn()
        self._events.changed()

    def down(self, cause: LlmgwError) -> None:
        self._mark_turn()
        down_by = self._target.problem or cause
        self._down_by = None if down_by.code == ConditionKind.NO_PODS else down_by
        self._target.suspect()
        self._events.record(RouteLost(self, down_by))
        self._events.changed()

    def _mark_turn(self) -> None:
        self.since, self._since_text = anyio.current_time(), wall_time.now()

    # For people.

    def status(self, clock: Callable[[float], str], *, is_active: bool) -> RouteStatus:
        retry_at = self.retry_at
        access = self._access.current
        return {
            "kind": self.kind.value,
            "name": self.name,
            "is_up": self.is_up,
            "is_active": is_active,
            "context": access.context if access else self.config.context,
            "cluster": access.cluster if access else None,
            "namespace": self.config.namespace,
            "target": str(self.config.target),
            "port": self.config.port,
            "way": self.pool.way.value if self.pool.way else None,
            "pods": self._pods(),
            "tunnels": self.pool.counts(),  # type: ignore[typeddict-item]
            "since": self._since_text,
            "attempts": self.attempts,
            "retry_at": None if retry_at is None or self.is_up else clock(retry_at),
            "round_trip_s": self.pool.round_trip_s,
        }

    def _pods(self) -> list[PodStatus]:
        """List the target's pods, and those that are gone from it but still drain."""
        used = self.pool.by_pod()
        pods = self._target.view.pods if self._target.view else ()
        states = {pod.name: (pod.is_ready, pod.is_terminating) for pod in pods}
        # What is not of the target any more is being ended, as far as one can know.
        states |= {name: (False, True) for name in used if name not in states}
        return [
            _pod_status(name, is_ready, is_terminating, *used.get(name, (0, 0)))
            for name, (is_ready, is_terminating) in states.items()
        ]


def _place(access: ClusterAccess) -> str:
    return f"context {access.context} ({access.server})"


def _pod_status(
    name: str, is_ready: bool, is_terminating: bool, tunnels: int, streams: int
) -> PodStatus:
    return {
        "name": name,
        "ready": is_ready,
        "terminating": is_terminating,
        "tunnels": tunnels,
        "streams": streams,
    }
