"""The url route, as a forward supervises it: asked as the route through a cluster is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from llmgwctl.rules import timestamps
from llmgwctl.wire import RouteKind, RouteStatus
from llmgwd.direct.route import UrlRoute
from llmgwd.relay.route_events import RouteLost

if TYPE_CHECKING:
    from llmgwd.config import model
    from llmgwd.direct.exchange import Client
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.connection import LocalConnection
    from llmgwd.relay.route import Admission
    from llmgwd.relay.route_events import RouteEvents


class UrlWay:
    """One `model.UrlRoute`, kept up for as long as `run` runs."""

    # A connection of its own for each client: there is always another.
    has_room = True

    def __init__(self, config: model.UrlRoute, events: RouteEvents, admission: Admission) -> None:
        self.config = config
        self.since = anyio.current_time()
        self.since_text = timestamps.now()
        self.attempts = 0
        self.retry_at: float | None = None
        self._events = events
        self._admission = admission
        self._problem: LlmgwError | None = None
        self._route = UrlRoute(config.url, self)

    @property
    def kind(self) -> RouteKind:
        return RouteKind.URL

    @property
    def name(self) -> str:
        return self._route.name

    @property
    def is_up(self) -> bool:
        return self._route.is_up

    @property
    def is_on_last_resort(self) -> bool:
        return False

    def problems(self) -> list[LlmgwError]:
        return [] if self._problem is None or self.is_up else [self._problem]

    def carry(self, connection: LocalConnection) -> None:
        self._route.carry(connection)

    def retry_now(self) -> None:
        self._route.retry_now()

    async def check_all(self) -> None:
        self._route.retry_now()

    def retire(self) -> None:
        self._route.drain()

    def finish(self) -> None:
        """The daemon is about to end: carry on only what a client waits for."""
        self._route.drain()
        self._route.close_idle()

    async def run(self) -> None:
        await self._route.run()

    # As the observer of the route.

    def up(self) -> None:
        self.attempts, self.retry_at = 0, None
        self._mark()

    def down(self, cause: LlmgwError) -> None:
        self._problem = cause
        self._mark()
        self._events.record(RouteLost(self, cause))

    def dial_failed(self, error: LlmgwError, attempts: int, retry_in_s: float) -> None:
        self._problem = error
        self.attempts, self.retry_at = attempts, anyio.current_time() + retry_in_s
        self._events.changed()

    def cut(self, connection: Client, cause: LlmgwError) -> None:
        self._admission.cut(connection, cause)  # type: ignore[arg-type]  # it came by `carry`

    def _mark(self) -> None:
        self.since, self.since_text = anyio.current_time(), timestamps.now()
        self._events.changed()

    def status(self, clock: Callable[[float], str], *, is_active: bool) -> RouteStatus:
        return {
            "kind": self.kind.value,
            "name": self.name,
            "is_up": self.is_up,
            "is_active": is_active,
            "context": None,
            "cluster": None,
            "namespace": None,
            "target": None,
            "port": None,
            "way": None,
            "pods": [],
            "tunnels": None,
            "since": self.since_text,
            "attempts": self.attempts,
            "retry_at": None if self.retry_at is None or self.is_up else clock(self.retry_at),
            "round_trip_s": None,
        }
