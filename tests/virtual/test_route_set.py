"""The routes of a forward: kept, replaced and ended; exact instants on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
from virtual_clock import run

from llmgwctl.wire import RouteKind
from llmgwd.config.model import ClusterRoute, ForwardConfig, UrlRoute, localhost
from llmgwd.forwards import route_set
from llmgwd.forwards.route_set import RETIRED_S, RouteSet
from llmgwd.system.supervised import Supervisor

if TYPE_CHECKING:
    from collections.abc import Awaitable

    import pytest

    from llmgwd.errors import LlmgwError

CLUSTER, URL = ClusterRoute(), UrlRoute("https://a.example")
FORWARD = ForwardConfig("litellm", localhost(4000), (CLUSTER, URL))


class _Route:
    """A route without a network: it is up when the test says so."""

    kind = RouteKind.URL
    last_resort = None
    is_carrying = False
    attempts = 0
    retry_at = None

    def __init__(self, config: ClusterRoute | UrlRoute) -> None:
        self.config = config
        self.name = str(config)
        self.is_up = False
        self.since = anyio.current_time()
        self.retired_at: float | None = None
        self.ended_at: float | None = None

    def turn(self, is_up: bool) -> None:
        self.is_up, self.since = is_up, anyio.current_time()

    def problems(self) -> list[LlmgwError]:
        return []

    def forget_login(self) -> None: ...

    def retire(self) -> None:
        self.retired_at = anyio.current_time()

    async def run(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.ended_at = anyio.current_time()


def _run(work: Callable[[RouteSet], Awaitable[None]]) -> list[_Route]:
    """Run routes for what `work` does with them; give all that were made, in order."""
    made: list[_Route] = []

    def make(config: ClusterRoute | UrlRoute, forward: ForwardConfig) -> _Route:
        made.append(_Route(config))
        return made[-1]

    async def main() -> None:
        routes = RouteSet(make, Supervisor(lambda: None))  # type: ignore[arg-type]
        async with anyio.create_task_group() as tasks:
            routes.begin(tasks)
            routes.use(FORWARD)
            await anyio.sleep(1)
            await work(routes)
            await anyio.sleep(100)
            tasks.cancel_scope.cancel()

    run(main)
    return made


def test_a_new_configuration_keeps_the_routes_that_stay_the_same() -> None:
    async def work(routes: RouteSet) -> None:
        routes.use(replace(FORWARD, routes=(URL,), hold_s=1.0))

    cluster, url = _run(work)

    assert (cluster.retired_at, cluster.ended_at) == (1.0, 1.0)
    assert (url.retired_at, url.ended_at) == (None, 101.0)


def test_another_number_of_tunnels_makes_every_route_anew() -> None:
    async def work(routes: RouteSet) -> None:
        routes.use(replace(FORWARD, tunnel_limit=8))

    made = _run(work)

    assert [each.config for each in made] == [CLUSTER, URL] * 2
    assert [each.retired_at for each in made] == [1.0, 1.0, None, None]


def test_replaced_routes_finish_what_they_carry_and_ended_ones_cut_it() -> None:
    async def work(routes: RouteSet) -> None:
        old, *_ = routes
        old.is_carrying = True  # type: ignore[misc]
        routes.replace_all(FORWARD)
        for route in routes:
            route.is_carrying = True  # type: ignore[misc]
        await anyio.sleep(1)
        routes.end_all()
        await anyio.sleep(3600)
        old.is_carrying = False  # type: ignore[misc]

    made = _run(work)

    assert [each.ended_at for each in made] == [3602.0, 1.0, 2.0, 2.0]


def test_a_stream_that_no_one_ends_is_cut_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    # For half a day: the looks between are not what is shown here.
    monkeypatch.setattr(route_set, "RETIRED_LOOK_S", 60.0)

    async def work(routes: RouteSet) -> None:
        old, *_ = routes
        old.is_carrying = True  # type: ignore[misc]
        routes.replace_all(FORWARD)
        await anyio.sleep(RETIRED_S)

    assert _run(work)[0].ended_at == 1.0 + RETIRED_S


def test_the_preferred_route_is_chosen_again_when_the_routes_are_others() -> None:
    chosen: list[object] = []

    async def work(routes: RouteSet) -> None:
        first, second = routes
        second.turn(True)  # type: ignore[attr-defined]
        await anyio.sleep(3)
        chosen.append(routes.choose() == (first, second))
        chosen.append(routes.usable is second)
        routes.use(replace(FORWARD, routes=(CLUSTER,)))
        chosen.append(routes.active is first)
        chosen.append(routes.usable)

    _run(work)

    assert chosen == [True, True, True, None]
