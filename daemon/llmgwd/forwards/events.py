"""What is reported about one forward: events in sentences for people, times, requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from llmgwctl.rules.condition_kinds import RULES
from llmgwctl.wire import EventKind, RouteKind, State
from llmgwd.forwards.verdict.conditions import sentence
from llmgwd.listening import refusal_report
from llmgwd.relay.route_events import ClusterChanged, DrainEnded, DrainStarted, PodAdded, PodLost
from llmgwd.telemetry.timings import Timing

if TYPE_CHECKING:
    from llmgwctl.wire import RequestRecord
    from llmgwd.errors import LlmgwError
    from llmgwd.forwards.verdict.conditions import Condition, Conditions
    from llmgwd.relay import route as relay_route
    from llmgwd.relay.route_events import RouteEvent, RouteLost
    from llmgwd.routes.route import Route
    from llmgwd.telemetry.event_journal import Journal
    from llmgwd.telemetry.timings import Timings

_CONNECTIONS: Final = {
    EventKind.CONNECTION_REDIALED: "was sent again: no one had received it",
    EventKind.CONNECTION_CUT: "was cut: it may have been received",
    EventKind.HOLD_EXPIRED: "waited in vain and got an answer that says why",
}


class ForwardEvents:
    """Keeps what spans two events: when an outage began, and which pods are known."""

    def __init__(
        self,
        forward: str,
        journal: Journal,
        timings: Timings,
        report_request: Callable[[RequestRecord], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._forward = forward
        self._journal = journal
        self._clock = clock
        self._timings = timings
        self._report_request = report_request
        self._lost_at: float | None = None
        self._pods: set[str] = set()  # that were reported as usable

    def time(self, timing: Timing, seconds: float) -> None:
        self._timings.note(timing, self._forward, seconds)

    def request_ended(self, record: RequestRecord) -> None:
        if record["first_byte_s"] is not None:
            self.time(Timing.FIRST_BYTE, record["first_byte_s"])
        self.time(Timing.REQUEST, record["total_s"])
        self._report_request(record)

    def state(self, before: State, after: State, worst: Condition | None) -> None:
        because = "" if worst is None or after is State.READY else f": {worst.summary}"
        self._record(
            EventKind.STATE_CHANGED,
            f"{self._forward} is {after.value}{because or '.'}",
            state=after.value,
            previous=before.value,
            cause=None if worst is None or after is State.READY else worst.kind.value,
            remedy=None if worst is None or after is State.READY else worst.remedy or None,
        )

    def conditions(self, before: Conditions, after: Conditions) -> None:
        record_conditions(self._journal, before, after, forward=self._forward)

    @property
    def is_out(self) -> bool:
        """The active route was lost, and none was reported up since."""
        return self._lost_at is not None

    def lost(
        self,
        event: RouteLost,
        streams: int,
        *,
        is_active: bool,
    ) -> None:
        route, cause = event.route, event.cause
        if is_active and self._lost_at is None:
            self._lost_at = self._clock()
        self._record(
            EventKind.ROUTE_LOST,
            f"{_named(route)} is lost: {sentence(cause.message)}",
            route=route.name,
            cause=str(cause.code),
            remedy=cause.remedy or None,
            streams=streams,
        )

    def up(self, route: Route, held: int) -> None:
        outage_s = None if self._lost_at is None else round(self._clock() - self._lost_at, 3)
        self._lost_at = None
        if outage_s is not None:
            self.time(Timing.OUTAGE, outage_s)
        after = "" if outage_s is None else f" after {outage_s:.1f} s"
        waiting = f"; {_count(held)} that waited {_go(held)} on" if held else ""
        self._record(
            EventKind.ROUTE_UP,
            f"{_named(route)} is up{after}{waiting}.",
            route=route.name,
            outage_s=outage_s,
            attempts=route.attempts,
            held=held,
        )

    def switched(self, route: Route, problem: LlmgwError | None) -> None:
        why = f": {problem.message}" if problem is not None else ", which is healthy again"
        self._record(
            EventKind.ROUTE_SWITCHED,
            sentence(f"New connections go over {_named(route)}{why}"),
            route=route.name,
            cause=None if problem is None else str(problem.code),
        )

    def route_event(self, event: RouteEvent) -> None:
        """Record what a route reports, but for its loss (see `lost`) and its dials."""
        match event:
            case PodAdded(pod) if pod in self._pods:
                pass  # a route that replaced another finds the same pods
            case PodAdded(pod):
                self._pods.add(pod)
                self._record(EventKind.POD_ADDED, f"Pod {pod} can be used.", pod=pod)
            case PodLost(pod, why):
                self._pods.discard(pod)
                self._record(EventKind.POD_LOST, f"Pod {pod} {why}.", pod=pod)
            case DrainStarted(pod, streams):
                message = f"{_count(streams)} {_go(streams)} on to the end in pod {pod}."
                self._record(EventKind.DRAIN_STARTED, message, pod=pod, streams=streams)
            case DrainEnded(pod):
                message = f"Nothing goes over pod {pod} any more."
                self._record(EventKind.DRAIN_ENDED, message, pod=pod)
            case ClusterChanged(before, after):
                message = f"The kubeconfig leads to {after} now, no more to {before}."
                self._record(EventKind.TARGET_CHANGED, message, cause="kubeconfig")

    def connections(
        self, kind: EventKind, cause: LlmgwError | None, count: int, worst: Condition | None
    ) -> None:
        code = str(cause.code) if cause else worst.kind.value if worst else None
        were = _CONNECTIONS[kind] if count == 1 else _CONNECTIONS[kind].replace("was ", "were ")
        why = f" ({cause.message.rstrip('.')})" if cause else ""
        self._record(kind, f"{_count(count)} {were}{why}.", cause=code, streams=count)

    def refused(self, count: int, reasons: list[str]) -> None:
        message = refusal_report.sentence(count, reasons)
        self._record(EventKind.CLIENTS_REFUSED, message, streams=count)

    def _record(self, kind: EventKind, message: str, **fields: object) -> None:
        self._journal.record(kind, message, forward=self._forward, **fields)


def record_conditions(
    journal: Journal, before: Conditions, after: Conditions, **fields: object
) -> None:
    """Record what was raised and what was cleared; `fields` are those of each event."""
    for condition in after:
        if before.get(condition.kind) is None:
            journal.record(
                EventKind.CONDITION_RAISED,
                condition.summary,
                **fields,
                cause=condition.kind.value,
                remedy=condition.remedy or None,
            )
    for condition in before:
        if after.get(condition.kind) is None:
            message = f"Resolved: {RULES[condition.kind].title}."
            journal.record(
                EventKind.CONDITION_CLEARED, message, **fields, cause=condition.kind.value
            )


def _named(route: relay_route.Route) -> str:
    return "The cluster route" if route.kind is RouteKind.KUBERNETES else route.name


def _count(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"


def _go(number: int) -> str:
    return "goes" if number == 1 else "go"
