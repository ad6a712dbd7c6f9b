"""What a route reports to its forward: that it changed, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.route import Route


@dataclass(frozen=True, slots=True)
class RouteLost:
    """The route carries nothing any more."""

    route: Route
    cause: LlmgwError


@dataclass(frozen=True, slots=True)
class ClusterChanged:
    """The kubeconfig leads elsewhere now; both are worded as "context x (server)"."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PodAdded:
    pod: str


@dataclass(frozen=True, slots=True)
class PodLost:
    """`why` ends a sentence that begins with the pod: "is gone"."""

    pod: str
    why: str


@dataclass(frozen=True, slots=True)
class DrainStarted:
    """A pod takes no new streams; so many go on to their end."""

    pod: str
    streams: int


@dataclass(frozen=True, slots=True)
class DrainEnded:
    pod: str


@dataclass(frozen=True, slots=True)
class TunnelDialled:
    took_s: float


RouteEvent = (
    RouteLost | ClusterChanged | PodAdded | PodLost | DrainStarted | DrainEnded | TunnelDialled
)


class RouteEvents(Protocol):
    """The forward, as its routes and their parts see it. Calls come from the event loop."""

    def changed(self) -> None:
        """Something is not as it was: the forward asks the route in a moment."""

    def record(self, event: RouteEvent, /) -> None:
        """Take note of what happened, at the moment it does."""


class EventsUntilRetired:
    """What a route reports until it is replaced; then only that a drain ended.

    The route that replaced it reports the same pods.
    """

    def __init__(self, events: RouteEvents) -> None:
        self.is_closed = False
        self._events = events

    def close(self) -> None:
        self.is_closed = True

    def changed(self) -> None:
        if not self.is_closed:
            self._events.changed()

    def record(self, event: RouteEvent, /) -> None:
        if not self.is_closed or isinstance(event, DrainEnded):
            self._events.record(event)
