"""The routes of one forward: which run, which takes what is new, and how one ends.

A route is started for each configured one, and kept as long as its configuration stays the same.
One that is not wanted any more takes nothing new and gets a while to finish what it carries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import anyio

from llmgwd.forwards import route_choice

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from llmgwd.config.model import ClusterRoute, ForwardConfig, UrlRoute
    from llmgwd.errors import LlmgwError
    from llmgwd.routes.route import Route
    from llmgwd.system.supervised import Supervisor

# What a route that was replaced carries goes on to the end: a long answer takes minutes, a raw
# connection may take hours. Only one that no one ends is cut.
RETIRED_S: Final = 12 * 3600.0
# Where no route knows when it tries again.
USUAL_RETRY_S: Final = 5
# No route reports that its last stream ended; one that is retired is looked at this often.
RETIRED_LOOK_S: Final = 1.0


class RouteSet:
    """Runs routes in the task group that `begin` is given; `make` makes one of a forward."""

    def __init__(
        self,
        make: Callable[[ClusterRoute | UrlRoute, ForwardConfig], Route],
        supervisor: Supervisor,
    ) -> None:
        self._make = make
        self._supervisor = supervisor
        self._routes: list[Route] = []
        self._active = 0  # the place of the one chosen last
        self._tunnel_limit: int | None = None
        self._tasks: TaskGroup | None = None
        self._scopes: dict[Route, anyio.CancelScope] = {}

    def __iter__(self) -> Iterator[Route]:
        """Go through them in order of preference."""
        return iter(self._routes)

    def __contains__(self, route: object) -> bool:
        return route in self._routes

    @property
    def active(self) -> Route | None:
        """The one chosen for what is new, up or not; None while there is none at all."""
        return self._routes[self._active] if self._routes else None

    @property
    def usable(self) -> Route | None:
        """The active one, if it is up."""
        active = self.active
        return active if active is not None and active.is_up else None

    @property
    def is_on_fallback(self) -> bool:
        return self._active > 0

    @property
    def is_retrying(self) -> bool:
        """Did something fail in one of them, up or not, that is tried again?"""
        return any(route.retry_at is not None for route in self._routes)

    @property
    def retry_after_s(self) -> int:
        """How long a client is asked to wait."""
        times = [route.retry_at for route in self._routes if route.retry_at is not None]
        return max(1, math.ceil(min(times) - anyio.current_time())) if times else USUAL_RETRY_S

    def problems(self) -> Iterator[LlmgwError]:
        """Give what is wrong with any of them, the preferred one's first."""
        for route in self._routes:
            yield from route.problems()

    # Which there are.

    def begin(self, tasks: TaskGroup) -> None:
        """Run in this group from now on; the routes of an earlier one ended with it."""
        self._tasks = tasks
        self._routes, self._scopes = [], {}

    def use(self, forward: ForwardConfig) -> None:
        """Start what is new, keep what stays, let go what is not wanted any more."""
        is_same_size = forward.tunnel_limit == self._tunnel_limit
        kept = {route.config: route for route in self._routes} if is_same_size else {}
        self._become(
            [kept.get(each) or self._start(each, forward) for each in forward.routes], forward
        )

    def replace_all(self, forward: ForwardConfig) -> None:
        """Begin anew with every route; what is carried goes on in the old ones."""
        for route in self._routes:
            route.forget_login()
        self._become([self._start(each, forward) for each in forward.routes], forward)

    def end_all(self) -> None:
        """Cut what is carried."""
        before, self._routes = self._routes, []
        for route in before:
            self._retire(route, linger_s=0.0)

    def _become(self, routes: list[Route], forward: ForwardConfig) -> None:
        before, self._routes = self._routes, routes
        self._active = 0
        self._tunnel_limit = forward.tunnel_limit
        for route in before:
            if route not in routes:
                self._retire(route)

    def _start(self, wanted: ClusterRoute | UrlRoute, forward: ForwardConfig) -> Route:
        assert self._tasks is not None
        route = self._make(wanted, forward)
        self._scopes[route] = anyio.CancelScope()
        self._tasks.start_soon(self._run, route)
        return route

    async def _run(self, route: Route) -> None:
        with self._scopes[route]:
            await self._supervisor.keep(f"the route {route.name}", route.run)

    def _retire(self, route: Route, linger_s: float = RETIRED_S) -> None:
        assert self._tasks is not None
        route.retire()
        self._tasks.start_soon(self._end_later, route, self._scopes.pop(route), linger_s)

    async def _end_later(self, route: Route, scope: anyio.CancelScope, linger_s: float) -> None:
        with anyio.move_on_after(linger_s):
            while route.is_carrying:  # noqa: ASYNC110 - the byte path reports no single end
                await anyio.sleep(RETIRED_LOOK_S)
        scope.cancel()

    # Which takes what is new.

    def choose(self) -> tuple[Route, Route] | None:
        """Choose again; give the one before and the one now, if it is another."""
        if not self._routes:
            return None
        standings = [route_choice.Standing(each.is_up, each.since) for each in self._routes]
        chosen = route_choice.choose(standings, self._active, anyio.current_time())
        if chosen == self._active:
            return None
        before, self._active = self._routes[self._active], chosen
        return before, self._routes[chosen]

    async def check_all(self) -> None:
        async with anyio.create_task_group() as tasks:
            for route in self._routes:
                tasks.start_soon(route.check_all)
