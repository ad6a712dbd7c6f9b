"""What the gateway behind the active route answers, asked now and then and when it matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn

import anyio

from llmgwctl.wire import ConditionKind, GatewayStatus, RequestOutcome
from llmgwd.config.model import ProbeKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.gateway.probe import GATEWAY_LOG, UNKNOWN, ProbeResult, probe
from llmgwd.relay.byte_stream import ByteStream, open_through
from llmgwd.relay.route_events import ClusterChanged, PodAdded, PodLost
from llmgwd.system.aligned import until_next
from llmgwd.system.wakeup import Wakeup
from llmgwd.telemetry import wall_time
from llmgwd.telemetry.timings import Timing
from llmgwd.tunnel.demand import UNUSED_AFTER_S

if TYPE_CHECKING:
    from llmgwctl.wire import RequestRecord
    from llmgwd.config.model import Probe
    from llmgwd.relay.route import Route
    from llmgwd.relay.route_events import RouteEvent

# A gateway that was unhealthy is asked more often: people wait for it.
UNHEALTHY_EVERY_S: Final = 2.0
# The route itself failed under the question, and comes back within a moment or is called down.
AGAIN_S: Final = 0.5
# A healthy gateway answers within milliseconds; after this long without a first answer it counts
# as silent.
FIRST_ANSWER_S: Final = 1.5
# While clients use it, a gateway that falls silent is known within this and the time of an answer.
IN_USE_EVERY_S: Final = 5.0
# Of each pod, that is; of more than these, later.
PODS_IN_TURN: Final = 4
# A failure of one request says little, and a hundred say no more than one.
SUSPECTED_EVERY_S: Final = 1.0
# A question that cannot be put, over a route that is up, is put again; after this long the last
# answer says nothing any more.
STALE_AFTER_S: Final = 5.0
# A forward that carried nothing for an hour is asked about rarely. A reader of its status then
# has it asked again if the last answer is older than `FRESH_S`.
UNUSED_EVERY_S: Final = 120.0
FRESH_S: Final = 10.0


class Health:
    """`route` gives the route to ask through, or None: nothing to ask now. `carried` gives what
    has changed whenever the forward carried something since.

    Of several pods one may fail: it is asked until it answers well, or is gone (`note_pods`), and
    what another says meanwhile changes nothing.

    It is asked under load as well, over a tunnel that the pool keeps free for that: when streams
    hang in every other one, its answer shows whether the gateway does.
    """

    def __init__(
        self,
        how: Probe,
        route: Callable[[], Route | None],
        changed: Callable[[], None],
        time: Callable[[Timing, float], None],
        carried: Callable[[], object],
    ) -> None:
        self.how = how
        self.result: ProbeResult = UNKNOWN
        self._route = route
        self._changed = changed
        self._time = time
        self._carried = carried
        self._carried_before = carried()
        self._used_at = self._asked_at = anyio.current_time()
        self._wakeup = Wakeup()
        self._answered = anyio.Event()  # or not asked, as there is no route
        self._checked_at: str | None = None
        self._previous: ProbeResult | None = None
        self._failing_pod: str | None = None
        self._pods: list[str] = []  # that may be asked, the one asked longest ago first
        self._first_asked_at: float | None = None
        self._in_vain_since: float | None = None  # questions that no one received

    def ask_now(self, *, afresh: bool = False) -> None:
        """Ask at once; `afresh`: what was known is of another route, or of one that fell since."""
        if afresh:
            self.forget()
            self._first_asked_at = anyio.current_time()
        self._wakeup.set()

    def note(self, record: RequestRecord) -> None:
        """A request ended: one that failed on the gateway's side is a reason to ask now, and one
        for what it does not have: it may be another program.
        """
        is_ours = record["status"] == 503 and record["outcome"] == RequestOutcome.UNAVAILABLE
        status = record["status"] or 0
        has_failed = (
            record["outcome"] == RequestOutcome.CUT or status >= 500 or status in (404, 405)
        )
        is_news = anyio.current_time() - self._asked_at >= SUSPECTED_EVERY_S
        if has_failed and is_news and not is_ours:
            self._wakeup.set()

    async def refresh(self) -> None:
        """Ask again if what is known is not fresh, and wait for what becomes of the question."""
        if anyio.current_time() - self._asked_at >= FRESH_S:
            self.ask_now()
            await self._answered.wait()

    def reconfigure(self, how: Probe) -> None:
        """Ask this way from now on; what the other way found says nothing about it."""
        if how != self.how:
            self.how = how
            self.ask_now(afresh=self._first_asked_at is not None)

    def forget(self) -> None:
        """There is no route: nothing is known of what is behind it."""
        self.result, self._previous, self._first_asked_at = UNKNOWN, None, None
        self._in_vain_since = self._failing_pod = None

    def note_pods(self, event: RouteEvent) -> None:
        """A pod that came may answer otherwise; one that is lost fails no one any more."""
        match event:
            case PodAdded(pod):
                self._pods = [pod, *(each for each in self._pods if each != pod)]
                self._wakeup.set()
            case ClusterChanged():
                self._pods.clear()
            case PodLost(pod):
                self._pods = [each for each in self._pods if each != pod]
                if pod == self._failing_pod:
                    self._failing_pod = None
                    self._wakeup.set()

    @property
    def is_open(self) -> bool:
        """The first question through this route is out, and an answer may still come."""
        return self._is_first_out() and not self._is_overdue()

    @property
    def problem(self) -> LlmgwError | None:
        if self._is_first_out() and self._is_overdue():
            return Transient(
                ConditionKind.GATEWAY_SILENT,
                "The gateway has not answered since the route came up.",
                GATEWAY_LOG,
            )
        if self._is_stale():
            return Transient(
                ConditionKind.GATEWAY_SILENT,
                "The gateway cannot be asked whether it is well, though its route is up.",
                GATEWAY_LOG,
            )
        return self.result.problem if self.result.healthy is not None else None

    def _is_first_out(self) -> bool:
        is_asked = self.how.kind is not ProbeKind.OFF and self._first_asked_at is not None
        return is_asked and self.result.healthy is None

    def _is_stale(self) -> bool:
        since = self._in_vain_since
        return since is not None and anyio.current_time() - since > STALE_AFTER_S

    def _is_overdue(self) -> bool:
        asked_at = self._first_asked_at
        return asked_at is not None and anyio.current_time() - asked_at > FIRST_ANSWER_S

    async def run(self) -> NoReturn:
        while True:
            await self._wait()
            self._asked_at = anyio.current_time()
            route = self._route()
            if route is not None and self.how.kind is not ProbeKind.OFF:
                await self._ask(route)
            self._answered.set()
            self._answered = anyio.Event()

    async def _wait(self) -> None:
        """Wait until it is to be asked; on the way see whether clients began to use it."""
        now = anyio.current_time()
        ask_at = now + self._wait_s()
        while IN_USE_EVERY_S < ask_at - now < UNUSED_EVERY_S:
            is_woken = await self._wakeup.wait(until_next(IN_USE_EVERY_S))
            if is_woken or self._carried() != self._carried_before:
                return
            now = anyio.current_time()
        await self._wakeup.wait(max(ask_at - now, 0.0))

    def _wait_s(self) -> float:
        is_open = self._first_asked_at is not None and self.result.healthy is None
        if is_open or self._in_vain_since is not None:
            return AGAIN_S
        if self.result.healthy is False:
            return UNHEALTHY_EVERY_S
        carried, now = self._carried(), anyio.current_time()
        if carried != self._carried_before:
            self._carried_before, self._used_at = carried, now
            each_in_turn = min(max(len(self._pods), 1), PODS_IN_TURN)
            return until_next(min(self.how.every_s, IN_USE_EVERY_S / each_in_turn))
        is_unused = now - self._used_at >= UNUSED_AFTER_S
        return until_next(max(self.how.every_s, UNUSED_EVERY_S) if is_unused else self.how.every_s)

    async def _ask(self, route: Route) -> None:
        asked: list[ByteStream] = []
        wanted = self._failing_pod or (self._pods[0] if self._pods else None)

        async def connect() -> tuple[ByteStream, ByteStream]:
            asked.append(open_through(route, wanted))
            return asked[-1], asked[-1]

        result = await probe(self.how, connect, previous=self._previous)
        pod = asked[0].pod if asked else None
        # Its turn is over, even if no tunnel led there.
        self._pods.sort(key=lambda each: each in (pod, wanted))
        if route is not self._route() or self._is_beside_the_point(result, pod):
            return
        if result.healthy is None:
            if self._in_vain_since is None:
                self._in_vain_since = self._asked_at
            if self._is_stale():
                self._changed()
            return
        self._in_vain_since = None
        self.result = self._previous = result
        self._checked_at = wall_time.now()
        if result.latency_s is not None:
            self._time(Timing.PROBE, result.latency_s)
        self._changed()

    def _is_beside_the_point(self, result: ProbeResult, pod: str | None) -> bool:
        """Does another pod than the failing one say that it is well? Else note which one fails."""
        if result.healthy and self._failing_pod not in (None, pod):
            self._in_vain_since = None
            return True
        if result.healthy is not None:
            # One that refuses gets no stream, and no question, until it takes one again.
            code = None if result.problem is None else result.problem.code
            is_over = result.healthy or code == ConditionKind.DIAL_REFUSED
            self._failing_pod = None if is_over else pod
        return False

    def status(self) -> GatewayStatus:
        return {
            "probe": self.how.kind.value,
            "healthy": None if self._is_stale() else self.result.healthy,
            "latency_s": self.result.latency_s,
            "checked_at": self._checked_at,
            "version": self.result.version,
            "database": self.result.database,
        }
