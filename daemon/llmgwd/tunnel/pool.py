"""The warm tunnels of one route: dialled ahead, spread over the ready pods, shared past a cap.

The pool never raises for a failed dial: it tells its observer, waits as its `retry_wait` says and
tries again. Whoever finds no tunnel waits in line; when the route goes down the line is given
back, so that the forward can hold it or lead it elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.relay.route_events import DrainEnded, DrainStarted
from llmgwd.system.wakeup import Wakeup
from llmgwd.tunnel import liveness, selection
from llmgwd.tunnel.channels import ChannelsTunnel
from llmgwd.tunnel.dial_probe import REST_S, DialProbe
from llmgwd.tunnel.dials import Dials
from llmgwd.tunnel.spdy import SpdyTunnel
from llmgwd.tunnel.tunnel import silence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from llmgwd.cluster.pods import Endpoint
    from llmgwd.cluster.upgrade import Upgraded
    from llmgwd.relay.route_events import RouteEvents
    from llmgwd.system.backoff import RetryWait
    from llmgwd.tunnel.stream import StreamOwner
    from llmgwd.tunnel.tunnel import Tunnel

# Idle tunnels kept ready: a coding assistant opens up to eight connections at once; two are enough
# for the first call after a long silence.
WARM_IN_USE: Final = 8
WARM_AT_REST: Final = 2
AT_REST_AFTER_S: Final = 60.0
# A surplus tunnel is kept this long for the next burst.
SURPLUS_FOR_S: Final = 15.0
# TLS handshakes cost the API server and us some 3 ms of processor each; more at once only queue.
DIALS_AT_ONCE: Final = 8
# While streams share, they need the processors more than the next tunnel does.
DIALS_IN_A_CROWD: Final = 2
# A route that has lived this long is forgiven its earlier failures.
FORGIVEN_AFTER_S: Final = 10.0
# With every tunnel lost, a fresh one usually stands within a few round trips; if not, say so.
REDIAL_GRACE_S: Final = 1.0
# A tunnel of one's own is worth waiting for a few round trips, not longer: then one shares.
LINE_PATIENCE_S: Final = 0.25
TICK_S: Final = 0.5
TEND_EVERY_S: Final = 0.1


class PoolOwner(Protocol):
    """The route, as its pool sees it; calls come from the event loop."""

    def up(self) -> None:
        """The pool carries (again)."""

    def down(self, cause: LlmgwError) -> None:
        """The pool carries nothing; what waited in line is given back next."""


class TunnelPool:
    """Opens streams for their owners over as few, as warm tunnels as will do.

    `dial` and `retry_wait` are those of `Dials`; `has_demand` says whether a client waits for the
    route elsewhere.
    """

    def __init__(
        self,
        dial: Callable[[Endpoint], Awaitable[Upgraded]],
        owner: PoolOwner,
        events: RouteEvents,
        retry_wait: RetryWait,
        has_demand: Callable[[], bool] = lambda: False,
        limit: int = 64,
    ) -> None:
        self.is_up = False
        self.way: UpgradeKind | None = None
        self.dials = Dials(dial, retry_wait, self)
        self._owner = owner
        self._events = events
        self._has_demand = has_demand
        self._limit = limit
        self._endpoints: tuple[Endpoint, ...] = ()
        self._tunnels: list[Tunnel] = []
        self._line: deque[tuple[StreamOwner, float]] = deque()  # and since when
        self._ejected: dict[Endpoint, DialProbe] = {}
        self._refusal: LlmgwError = Transient(
            ConditionKind.DIAL_REFUSED, "The pod refused the connection."
        )
        self._draining_pods: set[str] = set()
        self._used_at = float("-inf")
        self._up_since = 0.0
        self._dialled_at = 0.0
        self._lost: tuple[float, LlmgwError] | None = None  # the last tunnel: when and why
        self._wakeup = Wakeup()
        self._clock = asyncio.get_running_loop().time

    # What the route asks.

    @property
    def round_trip_s(self) -> float | None:
        trips = [tunnel.round_trip_s for tunnel in self._tunnels if tunnel.round_trip_s is not None]
        return min(trips, default=None)

    @property
    def is_in_use(self) -> bool:
        """Did somebody come lately?"""
        return self._is_in_use(self._clock())

    def counts(self) -> dict[str, int]:
        """Tunnels by what they do: idle, busy, draining, dialing.

        One whose clients have all left counts as idle: it takes new streams.
        """
        draining = sum(tunnel.is_draining for tunnel in self._tunnels)
        busy = sum(tunnel.load > 0 and not tunnel.is_draining for tunnel in self._tunnels)
        idle = len(self._tunnels) - busy - draining
        return {"idle": idle, "busy": busy, "draining": draining, "dialing": len(self.dials)}

    def by_pod(self) -> dict[str, tuple[int, int]]:
        """Return tunnels and streams of each pod that has any, draining ones among them."""
        tunnels = Counter(tunnel.endpoint.pod for tunnel in self._tunnels)
        streams: Counter[str] = Counter()
        for tunnel in self._tunnels:
            streams[tunnel.endpoint.pod] += tunnel.load
        return {pod: (count, streams[pod]) for pod, count in tunnels.items()}

    # What the route says.

    def set_endpoints(self, endpoints: Sequence[Endpoint]) -> None:
        """Take new streams to these only, in any order; tunnels to others drain."""
        wanted = set(endpoints)
        for endpoint in [e for e in self._ejected if e not in wanted]:
            self._ejected.pop(endpoint).close()
        self._endpoints = tuple(dict.fromkeys(endpoints))
        self.dials.keep_to(wanted)
        for tunnel in list(self._tunnels):
            if tunnel.endpoint not in wanted and not tunnel.is_draining:
                self._start_drain(tunnel)
        if not wanted:
            self._go_down(Transient(ConditionKind.NO_READY_POD, "No pod is ready."))
            return
        if len(self._ejected) == len(wanted):
            self._go_down(self._refusal)
        self.retry_now()

    def retry_now(self) -> None:
        """There is news: try at once, whatever the back-off says."""
        self.dials.retry_at = None
        self._wake()

    async def check_all(self) -> None:
        """Doubt every tunnel until it proves itself; drop those that do not in time."""
        liveness.doubt_all(self._tunnels, self._clock())
        self.retry_now()
        while any(tunnel.is_doubted and not tunnel.is_silent for tunnel in self._tunnels):
            await anyio.sleep(0.05)
            for tunnel in list(self._tunnels):
                tunnel.check(self._clock())

    def refused(self, endpoint: Endpoint, cause: LlmgwError) -> None:
        """The pod did not take a connection: let it rest until it takes one of our own."""
        if endpoint not in self._endpoints or endpoint in self._ejected:
            return
        self._ejected[endpoint] = DialProbe(endpoint, self._clock())
        self._refusal = cause
        if len(self._ejected) == len(self._endpoints):
            self._go_down(cause)
        self._wake()

    # What connections ask.

    def open(self, owner: StreamOwner) -> None:
        """Open a stream now, or as soon as a tunnel can carry it; `owner.stream_opened` tells."""
        now = self._clock()
        if owner.is_demand:
            self._used_at = now
        # One stream a tunnel while the cap allows; whoever comes when it is spoken for shares.
        has_room = selection.streams_to_share_with(self._tunnels) + len(self._line) < self._limit
        if self._line and not has_room:
            # A crowd: who waits in line for a tunnel of their own would not get it either.
            self._serve_line(may_share=True)
        tunnel = None if self._line else self._pick(not has_room)
        if tunnel is not None:
            tunnel.open(owner)
        else:
            self._line.append((owner, now))
        self._wake()

    def withdraw(self, owner: StreamOwner) -> None:
        """Leave the line; nothing happens to one that was served already."""
        self._line = deque(place for place in self._line if place[0] is not owner)

    # The pool's own life.

    async def run(self) -> None:
        """Dial, ping, shrink, for as long as the route lives; closes all tunnels at the end."""
        try:
            async with anyio.create_task_group() as tasks:
                tended_at = self._clock()
                while True:
                    self._start_dials(tasks)
                    await self._wait_for_news()
                    # Streams come and go by the thousand; liveness is no more urgent for that.
                    if self._clock() - tended_at >= TEND_EVERY_S:
                        self._tend()
                        tended_at = self._clock()
        finally:
            self._close_all()

    async def _wait_for_news(self) -> None:
        now = self._clock()
        wait_s, retry_at = TICK_S, self.dials.retry_at
        if retry_at is not None and now < retry_at:
            wait_s = min(wait_s, retry_at - now)
        if self._ejected:
            wait_s = min(wait_s, REST_S)
        if self._line:
            wait_s = min(wait_s, LINE_PATIENCE_S)
        await self._wakeup.wait(wait_s)
        if self._clock() - now > wait_s + FORGIVEN_AFTER_S / 2:
            liveness.doubt_all(self._tunnels, self._clock())

    def _tend(self) -> None:
        now = self._clock()
        for tunnel in list(self._tunnels):
            tunnel.check(now)
        liveness.suspect_if_late(self._tunnels, now)
        up_since = self._up_since if self.is_up else None
        liveness.give_up_silent(self._tunnels, now, up_since, self._dialled_at)
        for probe in list(self._ejected.values()):
            self._ask_again(probe, now)
        if self.is_up and now - self._up_since > FORGIVEN_AFTER_S:
            self.dials.attempts = 0
        self._shrink(now)
        if any(selection.can_carry(tunnel, self._ejected) for tunnel in self._tunnels):
            self._lost = None
            self._come_up()
        self._serve_line()
        if self.is_up and self._lost is not None:
            self._admit_loss(*self._lost, now)

    def _admit_loss(self, lost_at: float, cause: LlmgwError, now: float) -> None:
        """Say that the route is down, once a redial has had its chance; silence had it already."""
        if cause.code == ConditionKind.TUNNEL_SILENT or now - lost_at > REDIAL_GRACE_S:
            self._go_down(cause)

    def _ask_again(self, probe: DialProbe, now: float) -> None:
        if probe.has_succeeded(now):
            self._ejected.pop(probe.endpoint, None)
            probe.close()
            self._come_up()
        elif probe.is_due(now):
            tunnel = next((t for t in self._idle() if t.endpoint == probe.endpoint), None)
            if tunnel is not None:
                probe.ask(tunnel, now)

    def _shrink(self, now: float) -> None:
        idle = sorted(self._idle(), key=lambda tunnel: tunnel.idle_since)
        surplus = len(idle) - self._warm_target(now)
        for tunnel in idle[: max(surplus, 0)]:
            if now - tunnel.idle_since > SURPLUS_FOR_S:
                tunnel.close()

    def _warm_target(self, now: float) -> int:
        return min(WARM_IN_USE if self._is_in_use(now) else WARM_AT_REST, self._limit)

    def _is_in_use(self, now: float) -> bool:
        return now - self._used_at < AT_REST_AFTER_S

    # Dialling.

    def _start_dials(self, tasks: anyio.abc.TaskGroup) -> None:
        if not self._endpoints or not self.dials.is_due(bool(self._line) or self._has_demand()):
            return
        if self.is_up:
            awake = [each for each in self._endpoints if each not in self._ejected]
            for _ in range(self._dials_wanted()):
                self._dial_one_of(awake, tasks)
        now = self._clock()
        unreached = [each for each in self._endpoints if self._is_unreached(each, now)]
        if unreached and (self.is_up or self.dials.is_one_more_worth_it()):
            self._dial_one_of(unreached, tasks)

    def _dial_one_of(self, endpoints: Sequence[Endpoint], tasks: anyio.abc.TaskGroup) -> None:
        """Dial the one with the fewest tunnels."""
        endpoint = selection.least_served(endpoints, self._tunnels, self.dials)
        if endpoint in self._ejected:
            self._ejected[endpoint].tried(self._clock())
        self.dials.start(tasks, endpoint)

    def _dials_wanted(self) -> int:
        """Count those that a route that is up is short of."""
        ready = sum(
            tunnel.load == 0 and selection.can_carry(tunnel, self._ejected)
            for tunnel in self._tunnels
        )
        wanted = self._warm_target(self._clock()) + len(self._line) - ready - len(self.dials)
        room = self._limit - selection.can_carry_more(self._tunnels) - len(self.dials)
        at_once = DIALS_IN_A_CROWD if self._is_crowded() else DIALS_AT_ONCE
        return max(min(wanted, room, at_once - len(self.dials)), 0)

    def _is_unreached(self, endpoint: Endpoint, now: float) -> bool:
        """Nothing leads there, though a pod that rests may be asked again, or all is down."""
        probe = self._ejected.get(endpoint)
        is_wanted = not self.is_up if probe is None else probe.is_due(now)
        is_reached = any(t.endpoint == endpoint and not t.is_doubted for t in self._idle())
        return is_wanted and not is_reached

    def _is_crowded(self) -> bool:
        return any(tunnel.load > 1 for tunnel in self._tunnels)

    # As the owner of dials.

    def is_standing(self) -> bool:
        return any(not (tunnel.is_draining or tunnel.is_silent) for tunnel in self._tunnels)

    def dial_succeeded(self, endpoint: Endpoint, upgraded: Upgraded) -> None:
        kind = ChannelsTunnel if upgraded.way is UpgradeKind.CHANNELS else SpdyTunnel
        tunnel = kind(endpoint, upgraded.way, self._changed)
        self._tunnels.append(tunnel)
        tunnel.adopt(upgraded)
        self._dialled_at = self._clock()
        self.way = upgraded.way
        self._lost = None
        if endpoint not in self._endpoints:
            tunnel.close()
            return
        if len(self._ejected) < len(self._endpoints):
            self._come_up()
        self._serve_line()

    def dial_failed(self, error: LlmgwError, retry_in_s: float) -> None:
        self._events.changed()
        if not self.is_standing():
            self._go_down(error)

    def dial_ended(self) -> None:
        self._wake()

    # Up and down.

    def _come_up(self) -> None:
        if self.is_up:
            return
        self.is_up = True
        self._up_since = self._clock()
        self._owner.up()

    def _go_down(self, cause: LlmgwError) -> None:
        was_up, self.is_up = self.is_up, False
        line, self._line = self._line, deque()
        if was_up:
            self._owner.down(cause)
        for owner, _ in line:
            owner.stream_failed(cause, True)

    def _changed(self, tunnel: Tunnel) -> None:
        if tunnel.is_closed and tunnel in self._tunnels:
            self._tunnels.remove(tunnel)
            if tunnel.end_cause is not None and not self.is_standing():
                self._lost = (self._clock(), tunnel.end_cause)
            self._end_drain(tunnel.endpoint.pod)
            if tunnel.end_cause is not None and tunnel.end_cause.code == ConditionKind.DIAL_REFUSED:
                self.refused(tunnel.endpoint, tunnel.end_cause)
        elif tunnel.is_silent and not self.is_standing():
            now = self._clock()
            self._lost = (now, silence(now - tunnel.heard_at))
        self._serve_line()
        self._wake()

    def _start_drain(self, tunnel: Tunnel) -> None:
        pod = tunnel.endpoint.pod
        if tunnel.load and pod not in self._draining_pods:
            self._draining_pods.add(pod)
            streams = sum(t.load for t in self._tunnels if t.endpoint == tunnel.endpoint)
            self._events.record(DrainStarted(pod, streams))
        tunnel.drain()

    def _end_drain(self, pod: str) -> None:
        is_over = not any(t.endpoint.pod == pod and t.is_draining for t in self._tunnels)
        if pod in self._draining_pods and is_over:
            self._draining_pods.discard(pod)
            self._events.record(DrainEnded(pod))

    # Choosing.

    def _pick(self, may_share: bool) -> Tunnel | None:
        return selection.pick(self._tunnels, self._ejected, may_share=may_share)

    def _idle(self) -> list[Tunnel]:
        return [t for t in self._tunnels if t.is_idle and not t.is_draining and not t.is_closed]

    def _serve_line(self, may_share: bool = False) -> None:
        while self._line:
            owner, since = self._line[0]
            is_patient = self._clock() - since < LINE_PATIENCE_S
            tunnel = self._pick(may_share or not is_patient)
            if tunnel is None:
                return
            self._line.popleft()
            tunnel.open(owner)

    def _wake(self) -> None:
        self._wakeup.set()

    def _close_all(self) -> None:
        for tunnel in list(self._tunnels):
            tunnel.close()
        self._go_down(Transient(ConditionKind.TUNNEL_LOST, "The route was closed."))
