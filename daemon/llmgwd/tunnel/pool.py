"""The warm tunnels of one route: dialled ahead, spread over the ready pods, shared past a cap.

Why a pool at all: dialling a tunnel takes four round trips (TCP, TLS, the upgrade), opening a
stream on one that stands takes one. And why a tunnel for each stream, where one could carry all of
them: SPDY has no flow control here, so streams that share a tunnel share their stalls (`pressure`),
and a tunnel that breaks takes all its streams with it. Sharing is therefore the way out past the
cap, not the rule; a cap there must be: each tunnel costs the API server a connection, us 0.5 MB.

The pool is woken by news and by deadlines. News are an owner for whom too few tunnels stand ready,
a tunnel that closed or fell silent, a dial that ended, other endpoints. Deadlines are pings, late
replies, ends of patience; `_next_at` is the one place that knows them all. A tick of half a second
was there before: it cost two wake-ups a second for nothing on every idle machine, and was late by a
quarter of a second in the mean when something was due. A stream on a warm tunnel wakes no one: at
400 a second, waking for each cost more than carrying it.

The pool never raises for a failed dial: it waits as its `retry_wait` says and tries again. An owner
that finds no tunnel waits in line; when the route goes down the line is given back, so that the
forward can hold it or lead it elsewhere.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.system.backoff import FORGIVEN_AFTER_S
from llmgwd.system.wakeup import Wakeup
from llmgwd.tunnel import figures, suspicion, tunnel_choice
from llmgwd.tunnel.demand import SURPLUS_FOR_S, Demand
from llmgwd.tunnel.dial_probe import Ejections
from llmgwd.tunnel.dials import Dials, Unanswered, unanswered
from llmgwd.tunnel.standing import PoolOwner, Standing
from llmgwd.tunnel.tunnel import Tunnel, silence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.cluster.upgrade import Upgraded
    from llmgwd.relay.route import StreamOwner
    from llmgwd.relay.route_events import RouteEvents
    from llmgwd.system.backoff import RetryWait

# Waking this much later than planned means that the machine slept or the loop stood still.
OVERSLEPT_S: Final = 5.0
# News come by the thousand in a crowd; liveness is no more urgent for that.
TEND_EVERY_S: Final = 0.1
# Two instants that differ by a rounding error must not be waited for in a busy loop.
SHORTEST_WAIT_S: Final = 0.001


class TunnelPool:
    """Opens streams for their owners over as few, as warm tunnels as will do.

    `limit` is the cap on tunnels that could take another stream; the rest is for its `Dials`.
    """

    def __init__(
        self,
        dial: Callable[[Endpoint], Awaitable[Upgraded]],
        owner: PoolOwner,
        events: RouteEvents,
        retry_wait: RetryWait,
        has_demand: Callable[[], bool] = lambda: False,
        limit: int = 64,
        unanswered: Unanswered = unanswered,
    ) -> None:
        self.way: UpgradeKind | None = None
        self.dials = Dials(dial, retry_wait, self, has_demand, unanswered)
        self._events = events
        self._endpoints: tuple[Endpoint, ...] = ()
        self._tunnels: list[Tunnel] = []
        self._clock = asyncio.get_running_loop().time
        self._demand = Demand(limit, self._clock())
        self._ejected = Ejections()
        self._standing = Standing(owner, events)
        self._wakeup = Wakeup()
        self._due_at = 0.0  # when it wakes by itself

    # What the route asks.

    @property
    def is_up(self) -> bool:
        return self._standing.is_up

    @property
    def round_trip_s(self) -> float | None:
        return figures.round_trip_s(self._tunnels)

    @property
    def is_in_use(self) -> bool:
        """Did a client come lately?"""
        return self._demand.is_in_use(self._clock())

    def counts(self) -> dict[str, int]:
        return figures.counts(self._tunnels) | {"dialing": len(self.dials)}

    def by_pod(self) -> dict[str, tuple[int, int]]:
        return figures.by_pod(self._tunnels)

    # What the route says.

    def set_endpoints(self, endpoints: Sequence[Endpoint]) -> None:
        """Take new streams to these only, in any order; tunnels to others drain."""
        wanted = set(endpoints)
        self._ejected.keep_to(wanted)
        self._endpoints = tuple(dict.fromkeys(endpoints))
        self.dials.keep_to(wanted)
        for tunnel in list(self._tunnels):
            if tunnel.endpoint not in wanted and not tunnel.is_draining:
                self._standing.start_drain(tunnel, self._tunnels)
        if not wanted:
            self._go_down(Transient(ConditionKind.NO_READY_POD, "No pod is ready."))
        elif len(self._ejected) == len(wanted):
            self._go_down(self._ejected.cause)
        self.retry_now()

    def retry_now(self) -> None:
        """There is news: try at once, whatever the back-off says."""
        self.dials.retry_at = None
        self._wakeup.set()

    async def check_all(self) -> None:
        """Doubt every tunnel until it proves itself; drop those that do not in time."""
        suspicion.doubt_all(self._tunnels, self._clock())
        self.retry_now()
        while any(t.is_doubted and not t.liveness.is_silent for t in self._tunnels):
            await anyio.sleep(0.05)
            for tunnel in list(self._tunnels):
                tunnel.check(self._clock())

    def refused(self, pod: str, cause: LlmgwError) -> None:
        """The pod did not take a connection: let it rest until it takes one of our own."""
        endpoint = next((each for each in self._endpoints if each.pod == pod), None)
        if endpoint is None or endpoint in self._ejected:
            return
        self._ejected.add(endpoint, cause, self._clock())
        if len(self._ejected) == len(self._endpoints):
            self._go_down(cause)
        self._wakeup.set()

    # What connections ask.

    def open(self, owner: StreamOwner) -> None:
        """Open a stream now, or as soon as a tunnel can carry it, and call `stream_opened`."""
        now = self._clock()
        if self._demand.note(owner, now):
            suspicion.ping_as_usual(self._tunnels, now)
        seen = tunnel_choice.survey(self._tunnels, self._ejected, now, owner)
        has_room = self._demand.has_room(seen, is_probe=not owner.is_demand)
        if self._demand and not has_room:
            # A crowd: those in line for a tunnel of their own would not get one either.
            self._serve_line(may_share=True)
            seen = tunnel_choice.survey(self._tunnels, self._ejected, now, owner)
        tunnel = seen.best(owner, may_share=not has_room)
        if tunnel is not None and not self._demand:
            tunnel.streams.open(owner)
            # The peer's reply may be late before anything else is due.
            is_news = self._demand.is_short(seen, now) or tunnel.next_at() < self._due_at
        else:
            self._demand.join(owner, now)
            is_news = True
        if is_news:
            self._wakeup.set()

    def withdraw(self, owner: StreamOwner) -> None:
        self._demand.leave(owner)

    # The pool's own life.

    async def run(self) -> None:
        """Dial, ping, shrink, for as long as the route lives; closes all tunnels at the end."""
        try:
            async with anyio.create_task_group() as tasks:
                tended_at = self._clock()
                while True:
                    self._start_dials(tasks)
                    await self._wait_for_news(tended_at + TEND_EVERY_S)
                    if self._clock() - tended_at >= TEND_EVERY_S:
                        self._tend()
                        tended_at = self._clock()
        finally:
            for tunnel in list(self._tunnels):
                tunnel.close()
            self._go_down(Transient(ConditionKind.TUNNEL_LOST, "The route was closed."))

    async def _wait_for_news(self, not_before: float) -> None:
        """Wait for news or the next deadline, for the latter no shorter than until `not_before`."""
        now = self._clock()
        self._due_at = min(max(self._next_at(now), not_before), self.dials.next_at())
        await self._wakeup.wait(max(self._due_at - now, SHORTEST_WAIT_S))
        if self._clock() > self._due_at + OVERSLEPT_S:
            suspicion.doubt_all(self._tunnels, self._clock())

    def _next_at(self, now: float) -> float:
        """Return when something is due next, dials excepted; what is due now has been done."""
        return min(
            self._demand.next_at(),
            self._ejected.next_at(),
            self._standing.next_at(),
            self._forgiven_at(),
            suspicion.given_up_at(
                self._tunnels, now, self._standing.carries_since, self.dials.succeeded_at
            ),
            self._demand.surplus_at(self._idle(), now),
            *(tunnel.next_at() for tunnel in self._tunnels),
        )

    def _tend(self) -> None:
        now = self._clock()
        suspicion.ping_round(self._tunnels, now, is_unused=self._demand.is_unused(now))
        for tunnel in list(self._tunnels):
            tunnel.check(now)
        suspicion.suspect_if_late(self._tunnels, now)
        suspicion.give_up_silent(
            self._tunnels, now, self._standing.carries_since, self.dials.succeeded_at
        )
        if self._ejected.tend(self._idle_to, now):
            self._standing.come_up(now)
        if self.is_up and now - self._standing.up_since >= FORGIVEN_AFTER_S:
            self.dials.attempts = 0
        self._shrink(now)
        if any(tunnel_choice.can_carry(tunnel, self._ejected, now) for tunnel in self._tunnels):
            self._standing.lost = None
            self._standing.come_up(now)
        self._serve_line()
        if (cause := self._standing.loss_to_admit(now)) is not None:
            self._go_down(cause)

    def _forgiven_at(self) -> float:
        is_guilty = self.is_up and self.dials.attempts > 0
        return self._standing.up_since + FORGIVEN_AFTER_S if is_guilty else inf

    def _shrink(self, now: float) -> None:
        for tunnel in self._demand.surplus(self._idle(), now):
            if now - tunnel.idle_since >= SURPLUS_FOR_S:
                tunnel.close()
        # What the probe was granted beyond the cap goes once it is done.
        able = sum(not tunnel.is_spent for tunnel in self._tunnels)
        for tunnel in self._idle()[: max(able - self._demand.limit, 0)]:
            tunnel.close()

    def _start_dials(self, tasks: anyio.abc.TaskGroup) -> None:
        if not self._endpoints or not self.dials.is_due(bool(self._demand)):
            return
        now = self._clock()
        if self.is_up:
            awake = [each for each in self._endpoints if each not in self._ejected]
            seen = tunnel_choice.survey(self._tunnels, self._ejected, now)
            for _ in range(self._demand.dials_wanted(seen, len(self.dials), now)):
                self._dial_one_of(self.dials.sound(awake), tasks)
        unreached = [each for each in self._endpoints if self._is_unreached(each, now)]
        if unreached and (self.is_up or self.dials.is_one_more_worth_it()):
            self._dial_one_of(unreached, tasks)

    def _dial_one_of(self, endpoints: Sequence[Endpoint], tasks: anyio.abc.TaskGroup) -> None:
        """Dial the one with the fewest tunnels."""
        endpoint = tunnel_choice.least_served(endpoints, self._tunnels, self.dials)
        probe = self._ejected.probe(endpoint)
        if probe is not None:
            probe.tried(self._clock())
        self.dials.start(tasks, endpoint)

    def _is_unreached(self, endpoint: Endpoint, now: float) -> bool:
        """Should a tunnel lead there, or be tried again, that no one asks for?"""
        probe = self._ejected.probe(endpoint)
        is_wanted = not self.is_up if probe is None else probe.is_due(now)
        sure = (each.endpoint for each in self._idle() if not each.liveness.is_doubted(now))
        return (is_wanted and endpoint not in sure) or self.dials.is_to_be_rechecked(endpoint)

    # As the owner of dials.

    def is_standing(self) -> bool:
        return any(not (t.is_draining or t.liveness.is_silent) for t in self._tunnels)

    def is_heard_since(self, instant: float) -> bool:
        return any(tunnel.liveness.heard_at > instant for tunnel in self._tunnels)

    def dial_succeeded(self, endpoint: Endpoint, upgraded: Upgraded) -> None:
        tunnel = Tunnel(endpoint, upgraded.way, self._changed)
        self._tunnels.append(tunnel)
        tunnel.adopt(upgraded)
        self.way = upgraded.way
        self._standing.lost = None
        if endpoint not in self._endpoints:
            tunnel.close()
            return
        if len(self._ejected) < len(self._endpoints):
            self._standing.come_up(self._clock())
        self._serve_line()

    def dial_failed(self, error: LlmgwError, retry_in_s: float) -> None:
        self._events.changed()
        if not self.is_standing():
            self._go_down(error)

    def dial_ended(self) -> None:
        self._wakeup.set()

    def _changed(self, tunnel: Tunnel) -> None:
        if tunnel.is_closed:
            self._forget(tunnel)
        elif tunnel.liveness.is_silent and not self.is_standing():
            now = self._clock()
            self._standing.lost = (now, silence(now - tunnel.liveness.heard_at))
        elif not self._demand and self.is_up and self._standing.lost is None:
            # A stream ended, and no one waits for its place: by far the most frequent case.
            return
        self._serve_line()
        self._wakeup.set()

    def _forget(self, tunnel: Tunnel) -> None:
        if tunnel not in self._tunnels:
            return
        self._tunnels.remove(tunnel)
        cause = tunnel.end_cause
        if cause is not None and not self.is_standing():
            self._standing.lost = (self._clock(), cause)
        self._standing.end_drain(tunnel.endpoint.pod, self._tunnels)
        if cause is not None and cause.code == ConditionKind.DIAL_REFUSED:
            self.refused(tunnel.endpoint.pod, cause)

    def _go_down(self, cause: LlmgwError) -> None:
        waiting = self._demand.disband()
        self._standing.go_down(cause)
        for owner in waiting:
            owner.stream_failed(cause, True)

    def _idle(self) -> list[Tunnel]:
        return [t for t in self._tunnels if t.is_idle and not (t.is_draining or t.is_closed)]

    def _idle_to(self, endpoint: Endpoint) -> Tunnel | None:
        return next((each for each in self._idle() if each.endpoint == endpoint), None)

    def _serve_line(self, may_share: bool = False) -> None:
        while self._demand:
            now = self._clock()
            owner = self._demand.first()
            seen = tunnel_choice.survey(self._tunnels, self._ejected, now, owner)
            is_sharing = may_share or not self._demand.is_patient(now)
            tunnel = seen.best(owner, may_share=is_sharing)
            if tunnel is None:
                return
            self._demand.leave(owner)
            tunnel.streams.open(owner)
