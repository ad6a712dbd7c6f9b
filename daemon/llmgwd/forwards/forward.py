"""One forward: its listeners, its routes, which of them carries what, and what is reported of it.

Routes, listeners and health only say that something changed. What that means is worked out in one
place, `_settle`, from what is so at that moment: nothing is reported twice or in a wrong order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import anyio

from llmgwctl.wire import SERVING_STATES, EventKind, State
from llmgwd.config import model
from llmgwd.config.key_source import Command
from llmgwd.forwards.events import ForwardEvents
from llmgwd.forwards.health import Health
from llmgwd.forwards.route_set import RouteSet
from llmgwd.forwards.verdict import no_route_answer, state
from llmgwd.forwards.verdict.conditions import Conditions
from llmgwd.forwards.verdict.exposure import exposures
from llmgwd.forwards.verdict.facts import Facts
from llmgwd.gateway.probe import of_forward
from llmgwd.listening.listener import BACKLOG
from llmgwd.listening.listeners import Listeners, Sockets
from llmgwd.listening.refusal_report import RefusedClients
from llmgwd.relay.admission import AdmissionQueue
from llmgwd.relay.context import RelayContext
from llmgwd.relay.counters import ForwardCounters
from llmgwd.relay.draining import drain
from llmgwd.relay.http.key_injection import KeyInjector
from llmgwd.relay.http.request_records import RequestRecords
from llmgwd.relay.route_events import RouteLost, TunnelDialled
from llmgwd.routes.kubernetes import KubernetesRoute
from llmgwd.routes.url import UrlRoute
from llmgwd.system.aligned import until_next
from llmgwd.system.peer_socket import can_tell
from llmgwd.system.supervised import Supervisor
from llmgwd.system.wakeup import Wakeup
from llmgwd.telemetry import wall_time
from llmgwd.telemetry.timings import Timing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llmgwctl.wire import RequestRecord
    from llmgwd.config.model import ClusterRoute, ForwardConfig
    from llmgwd.errors import LlmgwError
    from llmgwd.gateway.error_answer import Trouble
    from llmgwd.relay.http.kept_request import ResendBudget
    from llmgwd.relay.route_events import RouteEvent
    from llmgwd.routes.followed_access import Accesses
    from llmgwd.routes.route import Route
    from llmgwd.telemetry.event_journal import Journal
    from llmgwd.telemetry.timings import Timings

# For what only time brings about, which is little on the preferred route, with a gateway's answer.
TICK_S: Final = 0.5
CALM_TICK_S: Final = 30.0


class Forward:
    """Runs one forward. `accesses` and `journal` are shared by all; `sockets` gives the ports.

    Its attributes are its parts, of which none knows another, and what `_settle` found out last:
    `state`, `since`, `conditions` and the route that carries.
    """

    def __init__(
        self,
        forward: ForwardConfig,
        sockets: Sockets,
        journal: Journal,
        accesses: Accesses,
        timings: Timings,
        budget: ResendBudget,
        request_ended: Callable[[RequestRecord], None],
        read_key: Callable[[Forward, bool], Awaitable[str]],
    ) -> None:
        self.config = forward
        self.state = State.STARTING
        self.since = wall_time.now()
        self.conditions = Conditions()
        counters = ForwardCounters()
        self._events = ForwardEvents(forward.name, journal, timings, request_ended)
        self.admission = AdmissionQueue(
            lambda: self.routes.usable,
            counters,
            self._flush,
            self._events.time,
            forward.hold_s,
            self._hold_limit(forward),
        )
        self.relay = RelayContext(
            self.admission,
            self._trouble,
            RequestRecords(forward.name, self._events.request_ended, lambda r: self.health.note(r)),
            counters,
            budget=budget,
        )
        # A command may ask a person for a password or a touch: only when there is no way round.
        self._injector = KeyInjector(
            lambda afresh: read_key(self, afresh),
            may_renew=lambda: not isinstance(self.config.key, Command),
            rejected=lambda key: self.relay.note_rejected_keys({key}),
            changed=self.changed,
        )
        self._reconfigure_relay(forward)
        refused = RefusedClients(self._refused)
        self.relay.note_refusal = refused.add
        self.listeners = Listeners(forward, sockets, self.relay, refused.add, self.changed)
        self.health = Health(
            forward.probe,
            lambda: self.routes.usable,
            self.changed,
            self._events.time,
            self._carried,
        )
        self._supervisor = Supervisor(self.changed, forward=forward.name)
        self.routes = RouteSet(self._route_maker(accesses), self._supervisor)
        self._serving_route: Route | None = None
        self._news = Wakeup()
        self._is_stopped = False

    @property
    def name(self) -> str:
        return self.config.name

    async def run(self) -> None:
        """Serve until cancelled; then listeners and routes are closed, connections with them."""
        async with anyio.create_task_group() as tasks:
            keep = self._supervisor.keep
            tasks.start_soon(keep, "listening", self.listeners.run)
            tasks.start_soon(keep, "probing the gateway", self.health.run)
            tasks.start_soon(keep, "reading the key to inject", self._injector.run)
            tasks.start_soon(keep, "settling", self._keep_settling)
            self.routes.begin(tasks)
            if not self._is_stopped:
                self.routes.use(self.config)
            self.changed()

    def _route_maker(
        self, accesses: Accesses
    ) -> Callable[[ClusterRoute | model.UrlRoute, ForwardConfig], Route]:
        def make(wanted: ClusterRoute | model.UrlRoute, forward: ForwardConfig) -> Route:
            if isinstance(wanted, model.UrlRoute):
                return UrlRoute(wanted, self)
            return KubernetesRoute(
                wanted, self, lambda: len(self.admission.hold) > 0, accesses, forward.tunnel_limit
            )

        return make

    async def reconfigure(self, forward: ForwardConfig) -> None:
        """Become what the configuration says now; what stays the same is not touched."""
        before, self.config = self.config, forward
        if (before.key, before.routes) != (forward.key, forward.routes):
            self._injector.forget()
        self.listeners.reconfigure(forward.listen, forward.allow)
        self.admission.reconfigure(forward.hold_s, self._hold_limit(forward))
        self._reconfigure_relay(forward)
        self._read_key_ahead()
        if not self._is_stopped:
            self.routes.use(forward)
            await self.listeners.open()
        self.health.reconfigure(forward.probe)
        self.changed()

    def _reconfigure_relay(self, forward: ForwardConfig) -> None:
        self.relay.reconfigure(forward)
        self.relay.injector = self._injector if forward.injects_key and can_tell() else None

    def _read_key_ahead(self) -> None:
        if self.relay.injector is not None and self.routes.usable is not None:
            self.relay.injector.read_ahead()

    def restart(self) -> None:
        """Begin anew with every route; connections that are carried go on in the old ones."""
        if self._is_stopped:
            return
        self.routes.replace_all(self.config)
        self._settle()

    def stop(self) -> None:
        """Let the port go, cut what is carried, refuse what is held."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self.listeners.shut(keep_handed_over=True)
        self.admission.is_refusing = True
        self.admission.give_up_held()
        self.relay.connections.close_idle()
        self.routes.end_all()
        self._settle()

    async def start(self) -> None:
        if not self._is_stopped:
            return
        self._is_stopped = False
        self.admission.is_refusing = False
        self._settle()
        await self.listeners.open()
        self.routes.use(self.config)
        self.changed()

    async def woke(self) -> None:
        """The machine slept: prove everything anew, and ask the gateway."""
        await self.routes.check_all()
        self.health.ask_now()

    async def drain(self) -> None:
        """Accept no more and return when nothing is carried; the caller bounds the time."""
        self.listeners.shut(keep_handed_over=False)
        await self.listeners.welcomed()
        await drain(
            self.admission,
            self.relay.connections,
            has_route=lambda: self.routes.usable is not None,
            keep=self.listeners.keep,
        )

    # Settling.

    def changed(self) -> None:
        """Something is not as it was: settle in a moment, once for all that comes together."""
        self._news.set()

    async def _keep_settling(self) -> NoReturn:
        while True:
            is_waiting = self.health.is_open or self.routes.is_retrying
            is_calm = self.state in (State.READY, State.STOPPED) and not is_waiting
            await self._news.wait(until_next(CALM_TICK_S if is_calm else TICK_S))
            self._settle()

    def _settle(self) -> None:
        """Work out what is so now, and do and report all that follows from it.

        Parts report that something changed, not what. Were each change applied as it is reported,
        every pair of them would need a rule for both orders: a route that falls while its probe's
        answer is on the way, a pod that comes while its route is replaced. Read anew in one go,
        the facts cannot contradict each other, and a change that was undone meanwhile is no event.

        The order matters. The route is chosen first, because the facts are those of the chosen
        one. Conditions come before the state that they explain, so that the event of a state can
        name its cause. What is held goes last: by then the route that takes it stands, and a
        client that is refused hears of today's conditions.
        """
        self._choose()
        self._note_serving()
        facts = self._facts()
        before = self.conditions
        self.conditions = before.renewed(
            facts.problems(), wall_time.now(), is_serving=facts.is_serving
        )
        self._become(state.derive(facts, self.conditions, self.state))
        self._events.conditions(before, self.conditions)
        self.admission.release()

    def _choose(self) -> None:
        switched = self.routes.choose()
        if switched is not None:
            before, after = switched
            self._events.switched(after, next(iter(before.problems()), None))

    def _note_serving(self) -> None:
        """Note when a route begins to carry, when none does any more, and when it is another."""
        before, self._serving_route = self._serving_route, self.routes.usable
        serving = self._serving_route
        if serving is None:
            if before is not None:
                self.health.forget()
        elif serving is not before or self._events.is_out:
            self.health.ask_now(afresh=True)
            self._read_key_ahead()
            self._events.up(serving, len(self.admission.hold))

    def _facts(self) -> Facts:
        active = self.routes.active
        if active is None:
            return Facts(is_stopped=self._is_stopped)
        return Facts(
            is_listening=bool(self.listeners.bound),
            is_route_up=active.is_up,
            listener_problems=self.listeners.problems,
            route_problems=(*self._supervisor.problems(), *self.routes.problems()),
            health_problem=of_forward(self.health.problem, self.name),
            is_answer_open=self.health.is_open,
            fallback=active.name if self.routes.is_on_fallback else None,
            last_resort=active.last_resort,
            is_peer_unknown=self.listeners.is_peer_unknown,
            is_injection_refused=self.config.injects_key and self.relay.injector is None,
            key_problem=self.relay.injector.problem if self.relay.injector else None,
            exposures=tuple(exposures(self.config)),
        )

    def _become(self, after: State) -> None:
        if after is self.state:
            return
        # What was counted belongs to the outage that ends here, or that begins.
        if self.state is not State.READY:
            self.admission.flush_events()
        before, self.state = self.state, after
        self.since = wall_time.now()
        if before in SERVING_STATES and self.state not in (*SERVING_STATES, State.STOPPED):
            self.relay.counters.outages += 1
        self.admission.reconfigure(self.config.hold_s, self._hold_limit(self.config))
        self._events.state(before, self.state, self.conditions.worst())
        self.admission.flush_events()

    def _carried(self) -> object:
        """Give what has changed when something was carried since, or is now."""
        return object() if self.admission.streams else self.relay.counters.as_counters()

    def _hold_limit(self, forward: ForwardConfig) -> int:
        """Never refuse the connections that the kernel queued while the daemon restarted."""
        is_first = self.state is State.STARTING and forward.hold_limit > 0
        return max(forward.hold_limit, BACKLOG) if is_first else forward.hold_limit

    def _trouble(self) -> Trouble:
        """Word why nothing carries a request now."""
        if self._is_stopped:
            return no_route_answer.stopped(self.name)
        if self.admission.is_draining:
            return no_route_answer.stopping()
        worst, is_blocked = self.conditions.worst(), self.state is State.BLOCKED
        return no_route_answer.without_route(
            worst, self.routes.retry_after_s, is_blocked=is_blocked
        )

    def _flush(self, kind: EventKind, cause: LlmgwError | None, count: int) -> None:
        self._events.connections(kind, cause, count, self.conditions.worst())

    def _refused(self, count: int, reasons: list[str]) -> None:
        self.relay.counters.refused += count
        self._events.refused(count, reasons)

    # As the `RouteEvents` of its routes.

    def record(self, event: RouteEvent) -> None:
        match event:
            case TunnelDialled(took_s):
                self._events.time(Timing.DIAL, took_s)
            case RouteLost(route):
                # The loss of one that was replaced means nothing: its clients go elsewhere.
                if route in self.routes:
                    is_active = route is self.routes.active
                    self._events.lost(event, self.admission.streams, is_active=is_active)
            case _:
                self.health.note_pods(event)
                self._events.route_event(event)
