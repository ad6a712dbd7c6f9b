"""Which tunnel carries the next stream, and whereto the next tunnel leads. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from llmgwd.cluster.pods import Endpoint
    from llmgwd.tunnel.dials import Dials
    from llmgwd.tunnel.tunnel import Tunnel


def pick(
    tunnels: Sequence[Tunnel], ejected: Collection[Endpoint], *, may_share: bool
) -> Tunnel | None:
    """Choose an idle tunnel, one whose clients are gone or, shared, the least loaded."""
    able = [tunnel for tunnel in tunnels if can_carry(tunnel, ejected)]
    unused = [tunnel for tunnel in able if tunnel.load == 0]
    if unused:
        load = Counter[str]()
        for tunnel in tunnels:
            load[tunnel.endpoint.pod] += tunnel.load
        return min(unused, key=lambda t: (not t.is_idle, load[t.endpoint.pod]))
    if not may_share:
        return None
    shared = [tunnel for tunnel in able if tunnel.can_share]
    return min(shared, key=lambda t: (t.is_held_up, t.load), default=None)


def can_carry(tunnel: Tunnel, ejected: Collection[Endpoint]) -> bool:
    """Does it take a new stream, and is its pod not one that refused the last?"""
    if tunnel.is_closed or tunnel.is_draining or tunnel.is_doubted:
        return False
    return tunnel.endpoint not in ejected and (tunnel.is_idle or tunnel.can_share)


def least_served(
    endpoints: Sequence[Endpoint], tunnels: Iterable[Tunnel], dials: Dials
) -> Endpoint:
    """Choose the endpoint with the fewest tunnels, those on their way included; among equals not
    the one that failed last, or a pod that is gone would keep all others from being tried.
    """
    served = Counter(tunnel.endpoint for tunnel in tunnels if not tunnel.is_draining)
    served.update(dials.endpoints())
    return min(endpoints, key=lambda each: (served[each], dials.failed_at(each)))


def can_carry_more(tunnels: Iterable[Tunnel]) -> int:
    """Count the tunnels that may carry a stream more: the cap is theirs, or nobody new would be
    served while long answers end on tunnels that drain, are clogged or cannot share.
    """
    return sum(not tunnel.is_spent for tunnel in tunnels)


def streams_to_share_with(tunnels: Iterable[Tunnel]) -> int:
    """Count the streams of the tunnels that take more."""
    return sum(tunnel.load for tunnel in tunnels if not tunnel.is_spent)
