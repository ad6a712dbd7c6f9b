"""A forward as the contract shows it, at one moment; waits for nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import anyio

from llmgwctl.rules import timestamps

if TYPE_CHECKING:
    from llmgwctl.wire import ConditionStatus, Counters, ForwardStatus, RouteStatus
    from llmgwd.forwards.forward import Forward
    from llmgwd.forwards.verdict.conditions import Conditions
    from llmgwd.routes.route import Route


def forward_status(forward: Forward) -> ForwardStatus:
    return {
        "name": forward.name,
        "state": forward.state.value,
        "since": forward.since,
        "listen": [str(address) for address in forward.listeners.bound],
        "listen_wanted": [str(address) for address in forward.listeners.wanted],
        "routes": [_route(forward, route) for route in forward.routes],
        "streams": forward.admission.streams,
        "held": len(forward.admission.hold),
        "gateway": forward.health.status(),
        "counters": cast("Counters", forward.relay.counters.as_counters()),
        "conditions": condition_statuses(forward.conditions),
    }


def condition_statuses(conditions: Conditions) -> list[ConditionStatus]:
    listed: list[ConditionStatus] = []
    for each in conditions:
        cause = conditions.hidden_by(each.kind)
        listed.append(
            {
                "kind": each.kind.value,
                "severity": each.severity.value,
                "since": each.since,
                "summary": each.summary,
                "remedy": each.remedy,
                "hidden_by": None if cause is None else cause.value,
            }
        )
    return listed


def _route(forward: Forward, route: Route) -> RouteStatus:
    return route.status(_written, is_active=route is forward.routes.active)


def _written(loop_time: float) -> str:
    """Turn an instant of the loop's clock into one of the wall's."""
    return timestamps.stamp(time.time() + loop_time - anyio.current_time())
