"""Events for people: an incident in a few lines instead of all that happened in it. Pure.

An incident of a forward begins when it stops being ready, and ends when it is ready again. It has
one line when it begins, one when another cause is found, and one when it ends, with what it cost.
What else happens meanwhile (routes, pods, conditions, each request that waited) is counted or left
out. A forward that falls again and again is reported once as flapping, until it stays up. What a
ready forward's connections meet again and again has a line at first, and one when it is over.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.show.terminal import span
from llmgwctl.wire import EventKind, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmgwctl.wire import Event

# So many beginnings within so long are one flapping forward, until it has been up for as long.
FLAPS = 3
FLAPPING_WITHIN_S = 60.0

# Connections that are cut again and again, as by a pod that crashes, are one matter until none was
# for so long.
QUIET_S = 60.0

# A state says the same, of the forward as a whole.
_LEFT_OUT = (EventKind.ROUTE_LOST, EventKind.ROUTE_UP)
_COUNTED = {
    EventKind.HOLD_EXPIRED: "{} told why not (503)",
    EventKind.CONNECTION_REDIALED: "{} sent again",
    EventKind.CONNECTION_CUT: "{} cut",
}
_PART_OF_IT = (
    EventKind.POD_ADDED,
    EventKind.POD_LOST,
    EventKind.DRAIN_STARTED,
    EventKind.DRAIN_ENDED,
    EventKind.ROUTE_SWITCHED,
    EventKind.CONDITION_CLEARED,
    *_COUNTED,
)
_CONFIG = "config-invalid"
_WELL = (State.READY, State.STOPPED)
_LIVES = (EventKind.DAEMON_STARTED, EventKind.DAEMON_STOPPING)


@dataclass
class _Incident:
    began_at: float
    causes: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    waited: int = 0


@dataclass
class _Repeated:
    """Connections that met the same while the forward was ready; `more` were not shown yet."""

    latest: Event
    began_at: float
    last_at: float
    more: int = 0


@dataclass
class _Course:
    """What is known of one forward."""

    incident: _Incident | None = None
    begun: deque[float] = field(default_factory=lambda: deque(maxlen=FLAPS))
    is_flapping: bool = False
    unshown_end: Event | None = None  # of the last outage of a flapping forward
    repeated: dict[str, _Repeated] = field(default_factory=dict)  # by the kind of event
    hidden: set[str] = field(default_factory=set)  # conditions that an incident's lines stand for


class Incidents:
    """Give it one event after the other; it gives those to show."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}

    def feed(self, event: Event) -> Iterator[Event]:
        kind, name = event["kind"], event.get("forward")
        yield from self.settled(seconds_of(event["time"]) or 0.0)
        if kind == EventKind.CONDITION_RAISED and not name and event.get("cause") == _CONFIG:
            return  # its rejection was shown
        if kind in _LIVES:
            # A new life of the daemon: how it left its forwards says nothing about them now.
            self._courses.clear()
        if not name or kind == EventKind.SNAPSHOT:
            yield event
            return
        course = self._courses.setdefault(name, _Course())
        if kind == EventKind.STATE_CHANGED:
            yield from _state(course, event)
        elif course.incident is not None:
            yield from _meanwhile(course, course.incident, event)
        elif kind == EventKind.CONDITION_CLEARED and event.get("cause") in course.hidden:
            course.hidden.discard(event["cause"])
        elif kind in _COUNTED:
            yield from _again(course, event)
        elif kind not in _LEFT_OUT:
            yield event

    def settled(self, now: float) -> Iterator[Event]:
        """Give the end of what is over: a forward's flapping, when it has stayed up long enough,
        and what its connections met again and again.
        """
        for course in self._courses.values():
            for kind, each in list(course.repeated.items()):
                if now - each.last_at > QUIET_S:
                    del course.repeated[kind]
                    yield from _all_told(each)
            end = course.unshown_end
            if end is None or now - (seconds_of(end["time"]) or 0.0) <= FLAPPING_WITHIN_S:
                continue
            course.unshown_end, course.is_flapping = None, False
            yield _with(end, f"{end['forward']} is ready again, and stays so.")


def _state(course: _Course, event: Event) -> Iterator[Event]:
    state, now = event["state"], seconds_of(event["time"]) or 0.0
    incident = course.incident
    if state in _WELL:
        course.incident = None
        if incident is None:
            yield event
        elif not course.is_flapping or state != State.READY:
            yield _ended(event, incident, now)
        else:
            course.unshown_end = event
    elif state == State.STARTING:
        yield event
    elif incident is None:
        course.incident = _Incident(now)
        for kind, repeated in course.repeated.items():
            course.incident.counts[kind] += repeated.more
        course.repeated.clear()
        _note(course, course.incident, event)
        yield from _begun(course, event, now)
    else:
        yield from _clearer(course, incident, event)


def _again(course: _Course, event: Event) -> Iterator[Event]:
    kind, now = event["kind"], seconds_of(event["time"]) or 0.0
    known = course.repeated.get(kind)
    if known is None:
        course.repeated[kind] = _Repeated(event, now, now)
        yield event
    else:
        known.latest, known.last_at = event, now
        known.more += event.get("streams", 1)


def _all_told(repeated: _Repeated) -> Iterator[Event]:
    if not repeated.more:
        return
    lasted = span(max(repeated.last_at - repeated.began_at, 1.0))
    more = f"{repeated.more} more connection{'' if repeated.more == 1 else 's'}"
    what = _COUNTED[EventKind(repeated.latest["kind"])].format(more)
    yield _with(repeated.latest, f"{what} within {lasted}.")


def _begun(course: _Course, event: Event, now: float) -> Iterator[Event]:
    course.unshown_end = None
    course.begun.append(now)
    lasted_s = now - course.begun[0]
    is_often = len(course.begun) == FLAPS and lasted_s <= FLAPPING_WITHIN_S
    if is_often and not course.is_flapping:
        course.is_flapping = True
        words = f"{event['forward']} is flapping: {FLAPS} outages within {span(max(lasted_s, 1.0))}"
        why = event.get("message", "").partition(": ")[2].rstrip(".")
        last = f", the last one: {why}" if why else ""
        yield _with(event, f"{words}{last}; until it stays up, only other causes are shown.")
    elif not course.is_flapping:
        yield event


def _meanwhile(course: _Course, incident: _Incident, event: Event) -> Iterator[Event]:
    kind = event["kind"]
    if kind in _COUNTED:
        incident.counts[kind] += event.get("streams", 1)
        incident.waited += event.get("streams", 1) if kind == EventKind.HOLD_EXPIRED else 0
    elif kind == EventKind.ROUTE_UP:
        incident.waited += event.get("held", 0)
    elif kind == EventKind.CONDITION_RAISED:
        yield from _clearer(course, incident, event)
    elif kind not in _PART_OF_IT and kind not in _LEFT_OUT:
        yield event


def _clearer(course: _Course, incident: _Incident, event: Event) -> Iterator[Event]:
    """Show an event that names a cause that was not shown yet."""
    is_new = bool(event.get("cause")) and event["cause"] not in incident.causes
    _note(course, incident, event)
    if is_new:
        yield event


def _note(course: _Course, incident: _Incident, event: Event) -> None:
    if event.get("cause"):
        incident.causes.add(event["cause"])
        course.hidden.add(event["cause"])


def _ended(event: Event, incident: _Incident, now: float) -> Event:
    after = f"{event['forward']} is {event['state']} again"
    if event["state"] == State.STOPPED:
        after = f"{event['forward']} was stopped"
    costs = [f"{incident.waited} waited"] if incident.waited else []
    costs += [
        words.format(incident.counts[kind])
        for kind, words in _COUNTED.items()
        if incident.counts[kind]
    ]
    cost = f": {', '.join(costs)}" if costs else ""
    return _with(event, f"{after} after {now - incident.began_at:.1f} s{cost}.")


def _with(event: Event, message: str) -> Event:
    return cast("Event", {**event, "message": message})
