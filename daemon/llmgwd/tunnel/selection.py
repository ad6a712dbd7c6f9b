"""Which tunnel carries the next stream, and whereto the next tunnel leads. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from llmgwd.cluster.pods import Endpoint
    from llmgwd.relay.route import StreamOwner
    from llmgwd.tunnel.dials import Dials
    from llmgwd.tunnel.tunnel import Tunnel


class Survey(NamedTuple):
    """One look at all tunnels: made for each stream, so it is one loop and no more."""

    unused: Tunnel | None
    """The best one that carries nothing anyone waits for: see `_rank`."""
    shared: Tunnel | None
    """The least loaded one that takes another stream."""
    ready: int
    """How many are unused."""
    able: int
    """How many could carry a stream more, now or after a doubt: these count against the cap.

    Those that drain, are clogged or cannot share do not, or no one new would be served while
    long answers end on them.
    """
    load: int
    """The streams on those."""
    is_shared: bool
    """Does any tunnel carry several?"""


def survey(
    tunnels: Iterable[Tunnel],
    ejected: Collection[Endpoint],
    now: float,
    owner: StreamOwner | None = None,
) -> Survey:
    """Look at all tunnels, for this owner's stream if there is one."""
    load_of_pod: dict[str, int] = {}
    unused: list[Tunnel] = []
    shared: Tunnel | None = None
    able = load = 0
    is_shared = False
    for tunnel in tunnels:
        count = tunnel.streams.load
        pod = tunnel.endpoint.pod
        load_of_pod[pod] = load_of_pod.get(pod, 0) + count
        is_shared = is_shared or count > 1
        if tunnel.is_spent:
            continue
        able += 1
        load += count
        if tunnel.liveness.is_doubted(now) or (ejected and tunnel.endpoint in ejected):
            continue
        if count == 0:
            unused.append(tunnel)
        elif shared is None or _burden(tunnel) < _burden(shared):
            shared = tunnel
    best = unused[0] if unused else None
    if len(unused) > 1:
        best = min(unused, key=lambda each: _rank(each, load_of_pod, owner))
    return Survey(best, shared, len(unused), able, load, is_shared)


def _rank(
    tunnel: Tunnel, load_of_pod: Mapping[str, int], owner: StreamOwner | None
) -> tuple[bool, bool, int, bool]:
    """Any other pod before the one that has just failed this request; then an idle tunnel, at the
    pod with the fewest streams. Among equals the pod that served this client last: sessions
    (MCP's, say) and caches live in a pod's memory.
    """
    pod = tunnel.endpoint.pod
    avoided = owner.avoided_pod if owner is not None else None
    preferred = owner.preferred_pod if owner is not None else None
    return pod == avoided, not tunnel.streams.is_idle, load_of_pod[pod], pod != preferred


def _burden(tunnel: Tunnel) -> tuple[bool, int]:
    """A tunnel whose reading is stopped for a lagging reader comes last."""
    return tunnel.is_read_paused, tunnel.streams.load


def can_carry(tunnel: Tunnel, ejected: Collection[Endpoint], now: float) -> bool:
    """Does it take a new stream, and is its pod not one that refused the last?"""
    if tunnel.is_spent or tunnel.liveness.is_doubted(now):
        return False
    return tunnel.endpoint not in ejected


def least_served(
    endpoints: Sequence[Endpoint], tunnels: Iterable[Tunnel], dials: Dials
) -> Endpoint:
    """Choose the endpoint with the fewest tunnels, those on their way included; among equals not
    the one that failed last, or a pod that is gone would keep all others from being tried.
    """
    served = Counter(tunnel.endpoint for tunnel in tunnels if not tunnel.is_draining)
    served.update(dials.endpoints())
    return min(endpoints, key=lambda each: (served[each], dials.failed_at(each)))
