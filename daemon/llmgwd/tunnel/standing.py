"""Whether a route carries, since when, and which of its pods drain; reported to the route.

A route is not down at the instant at which its last tunnel breaks. A rollout or a restart of the
API server breaks all of them at once, and a fresh dial usually stands within a few round trips: a
route that flapped for that long would send every connection through the hold and make an event of
nothing. So the loss of the last tunnel is only noted, and admitted after `REDIAL_GRACE_S`. Silence
had its grace already: it is admitted at once.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from llmgwctl.wire import ConditionKind
from llmgwd.relay.route_events import DrainEnded, DrainStarted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwd.errors import LlmgwError
    from llmgwd.relay.route_events import RouteEvents
    from llmgwd.tunnel.tunnel import Tunnel

# With every tunnel lost, a fresh one usually stands within a few round trips; if not, say so.
REDIAL_GRACE_S: Final = 1.0


class PoolOwner(Protocol):
    """The route, as its pool sees it; calls come from the event loop."""

    def up(self) -> None:
        """The pool carries (again)."""

    def down(self, cause: LlmgwError) -> None:
        """The pool carries nothing; what waited in line is given back next."""


class Standing:
    def __init__(self, owner: PoolOwner, events: RouteEvents) -> None:
        self.is_up = False
        self.up_since = 0.0
        self.lost: tuple[float, LlmgwError] | None = None  # the last tunnel: when and why
        self._owner = owner
        self._events = events
        self._draining_pods: set[str] = set()

    @property
    def carries_since(self) -> float | None:
        """None: it does not carry."""
        return self.up_since if self.is_up else None

    def come_up(self, now: float) -> None:
        if not self.is_up:
            self.is_up = True
            self.up_since = now
            self._owner.up()

    def go_down(self, cause: LlmgwError) -> None:
        was_up, self.is_up = self.is_up, False
        if was_up:
            self._owner.down(cause)

    def loss_to_admit(self, now: float) -> LlmgwError | None:
        """Return what the last tunnel died of, once a redial has had its chance."""
        if not self.is_up or self.lost is None or now < self.next_at():
            return None
        return self.lost[1]

    def next_at(self) -> float:
        if not self.is_up or self.lost is None:
            return inf
        at, cause = self.lost
        return at if cause.code == ConditionKind.TUNNEL_SILENT else at + REDIAL_GRACE_S

    def start_drain(self, tunnel: Tunnel, tunnels: Sequence[Tunnel]) -> None:
        pod = tunnel.endpoint.pod
        if tunnel.load and pod not in self._draining_pods:
            self._draining_pods.add(pod)
            streams = sum(each.load for each in tunnels if each.endpoint == tunnel.endpoint)
            self._events.record(DrainStarted(pod, streams))
        tunnel.drain()

    def end_drain(self, pod: str, tunnels: Sequence[Tunnel]) -> None:
        """A tunnel to the pod is gone: report the end once no other one drains."""
        is_over = not any(each.endpoint.pod == pod and each.is_draining for each in tunnels)
        if pod in self._draining_pods and is_over:
            self._draining_pods.discard(pod)
            self._events.record(DrainEnded(pod))
