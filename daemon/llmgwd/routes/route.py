"""What a route is to its forward: supervised, asked for its state, and made to try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from llmgwd.relay import route

if TYPE_CHECKING:
    from llmgwctl.wire import RouteStatus
    from llmgwd.config.model import ClusterRoute, UrlRoute
    from llmgwd.errors import LlmgwError


class Route(route.Route, Protocol):
    """One configured route, kept up for as long as `run` runs."""

    @property
    def config(self) -> ClusterRoute | UrlRoute: ...

    @property
    def since(self) -> float:
        """When it came up or went down, on the loop's clock."""

    @property
    def last_resort(self) -> LlmgwError | None:
        """Say why, while it carries over a pod that is not ready."""

    @property
    def is_carrying(self) -> bool:
        """A stream goes over it, perhaps one that was there before it was retired."""

    @property
    def attempts(self) -> int:
        """How many attempts failed in a row."""

    @property
    def retry_at(self) -> float | None:
        """When the next attempt comes, on the loop's clock."""

    def problems(self) -> list[LlmgwError]:
        """Give what is wrong right now, whether it keeps the route down or only will."""

    def retry_now(self) -> None:
        """Something changed: try all that waits, at once."""

    async def check_all(self) -> None:
        """The machine slept, or the network is another: trust nothing that stood before."""

    def forget_login(self) -> None:
        """A person begins anew: what the login was made of is read again, for all who share it."""

    def retire(self) -> None:
        """Take nothing new; what is carried goes on until `run` is cancelled."""

    async def run(self) -> None:
        """Keep it up; cancelling ends what it carries."""

    def status(self, clock: Callable[[float], str], *, is_active: bool) -> RouteStatus:
        """Give it as the contract shows it; `clock` turns the loop's time into a written one."""
