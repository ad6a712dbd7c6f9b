"""What the status shows of a pool's tunnels. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwd.tunnel.tunnel import Tunnel


def counts(tunnels: Sequence[Tunnel]) -> dict[str, int]:
    """Count tunnels by what they do: idle, busy, draining.

    One whose clients have all left counts as idle: it takes new streams.
    """
    draining = sum(tunnel.is_draining for tunnel in tunnels)
    busy = sum(tunnel.load > 0 and not tunnel.is_draining for tunnel in tunnels)
    return {"idle": len(tunnels) - busy - draining, "busy": busy, "draining": draining}


def by_pod(tunnels: Sequence[Tunnel]) -> dict[str, tuple[int, int]]:
    """Return tunnels and streams of each pod that has any, draining ones among them."""
    count = Counter(tunnel.endpoint.pod for tunnel in tunnels)
    streams: Counter[str] = Counter()
    for tunnel in tunnels:
        streams[tunnel.endpoint.pod] += tunnel.load
    return {pod: (number, streams[pod]) for pod, number in count.items()}


def round_trip_s(tunnels: Sequence[Tunnel]) -> float | None:
    """Return the shortest that a ping of those that stand has measured."""
    trips = (tunnel.liveness.round_trip_s for tunnel in tunnels)
    return min((trip for trip in trips if trip is not None), default=None)
