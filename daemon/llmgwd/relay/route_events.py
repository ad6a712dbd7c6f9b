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
