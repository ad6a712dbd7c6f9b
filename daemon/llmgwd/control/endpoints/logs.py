"""The route to the logs of a forward's pods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from llmgwctl.wire import ApiPath, LogLine
from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.logs import LogQuery, PodLogs, open_logs
from llmgwd.config.model import ClusterRoute
from llmgwd.control.endpoint import JSON_LINES, ApiError, Call, Endpoint, Lines, Parameter

if TYPE_CHECKING:
    from llmgwd.control.daemon import Daemon


class _Reading(AsyncIterator[LogLine]):
    """Lines, and the cluster access that was opened for them alone."""

    def __init__(self, access: ClusterAccess, logs: PodLogs) -> None:
        self._access = access
        self._logs = logs

    async def __anext__(self) -> LogLine:
        return await anext(self._logs)

    async def aclose(self) -> None:
        try:
            await self._logs.aclose()
        finally:
            await self._access.close()


async def _logs(daemon: Daemon, call: Call) -> Lines:
    name = call.query["forward"]
    daemon.forward_status(name)
    route = _cluster_route(daemon, name)
    extent = LogQuery(
        since_s=call.query.get("since_s"),
        tail=call.query.get("tail"),
        is_followed=call.query.get("follow", False),
    )
    # An access of its own: a log that is followed for days outlives a reload of the forward.
    access = await open_access(route.kubeconfig, route.context)
    try:
        return Lines(_Reading(access, await open_logs(access, route, extent)))
    except BaseException:
        await access.close()
        raise


def _cluster_route(daemon: Daemon, name: str) -> ClusterRoute:
    for forward in daemon.config.forwards:
        for route in forward.routes:
            if forward.name == name and isinstance(route, ClusterRoute):
                return route
    raise ApiError(
        409, "no-cluster", f"{name} leads to no cluster: its pods are not known", "ask its host"
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        ApiPath.LOGS,
        "Lines of all pods behind a forward, merged by time",
        LogLine,
        _logs,
        parameters=(
            Parameter("forward", str, "whose pods", is_required=True),
            Parameter("follow", bool, "true: go on, across rollouts"),
            Parameter("since_s", float, "no lines older than this", minimum=0, maximum=1e9),
            Parameter("tail", int, "at most so many of each pod", minimum=1, maximum=1_000_000),
        ),
        media=JSON_LINES,
        refusals=(404, 409),
    ),
)
