"""What the doctor knows of the forward it looks at; each check adds to it for those after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmgwctl.wire import SERVING_STATES, ConditionKind
from llmgwd.config.model import ClusterRoute, ForwardConfig, UrlRoute
from llmgwd.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmgwctl.wire import ForwardStatus, UpgradeKind
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.target.pods import Endpoint, TargetView
    from llmgwd.config.key_source import KeySource
    from llmgwd.errors import LlmgwError
    from llmgwd.gateway.key import Key


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of the doctor. `models` are looked for; `is_paid` allows calls that cost."""

    models: tuple[str, ...] = ()
    is_paid: bool = False


@dataclass(slots=True)
class CheckContext:
    """`status` is what the running daemon says of this forward; None: no daemon runs."""

    forward: ForwardConfig
    key_source: KeySource | None  # None: the key of [gateway] is another gateway's
    request: Request
    status: ForwardStatus | None = None

    access: ClusterAccess | None = field(default=None, repr=False)
    access_problem: LlmgwError | None = None
    user: str | None = None
    denied: frozenset[tuple[str, str]] = frozenset()  # verb and resource
    view: TargetView | None = None
    endpoint: Endpoint | None = None  # one that a way in leads to
    way: UpgradeKind | None = None
    key: Key | None = None
    models: tuple[str, ...] = ()

    @property
    def route(self) -> ClusterRoute:
        """The first route through a cluster; only asked for where there is one."""
        return next(each for each in self.forward.routes if isinstance(each, ClusterRoute))

    @property
    def has_cluster(self) -> bool:
        return any(isinstance(each, ClusterRoute) for each in self.forward.routes)

    @property
    def is_served(self) -> bool:
        """A daemon listens for this forward and has a route, as far as it knows."""
        status = self.status
        return bool(status and status["listen"] and status["state"] in SERVING_STATES)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(each.url for each in self.forward.routes if isinstance(each, UrlRoute))

    @property
    def cluster(self) -> ClusterAccess:
        """The access that the first check opened."""
        assert self.access is not None
        return self.access

    async def secret(self, name: str) -> Mapping[str, Any]:
        """Read a Secret of the forward's namespace.

        Raises:
            Transient: there is none, or the kubeconfig leads to none.
        """
        if self.access is None:
            raise Transient(
                ConditionKind.API_SERVER_UNREACHABLE,
                "there is no cluster to read a Secret from",
                "Take the key from elsewhere: [gateway] key = { file = … } or { command = […] }.",
            )
        return await self.access.secret(name, self.route.namespace)

    async def close(self) -> None:
        if self.access is not None:
            await self.access.close()
