"""Which tunnel carries the next stream, and whereto the next tunnel leads. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.relay.route import StreamOwner
    from llmgwd.tunnel.dials import Dials
    from llmgwd.tunnel.tunnel import Tunnel


class Survey(NamedTuple):
    """One look at all tunnels: made for each stream, so it is one loop and no more."""

    unused: Tunnel | None
    """One that carries nothing anyone waits for."""
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

    def best(self, owner: StreamOwner, *, may_share: bool) -> Tunnel | None:
        """Choose what carries the stream: an unused one, unless only the avoided pod has one."""
        unused, shared = self.unused, self.shared
        if unused is None:
            return shared if may_share else None
        if shared is not None and shared.endpoint.pod != owner.avoided_pod:
            return shared if unused.endpoint.pod == owner.avoided_pod else unused
        return unused


def survey(
    tunnels: Iterable[Tunnel],
    ejected: Collection[Endpoint],
    now: float,
    owner: StreamOwner | None = None,
) -> Survey:
    """Look at all tunnels, for a stream of this owner, which may prefer a pod or avoid one.

    The pod with the fewest streams comes first. Among equals the preferred one: what it keeps in
    memory for this client (a session, a cache) is worth more than an even spread.
    """
    load_of_pod: dict[str, int] = {}
    unused: list[Tunnel] = []
    shared: list[Tunnel] = []
    able = load = 0
    is_shared = False
    for tunnel in tunnels:
        count = tunnel.streams.load
        if count:
            pod = tunnel.endpoint.pod
            load_of_pod[pod] = load_of_pod.get(pod, 0) + count
            is_shared = is_shared or count > 1
        if tunnel.is_spent:
            continue
        able += 1
        load += count
        if tunnel.liveness.is_doubted(now) or (ejected and tunnel.endpoint in ejected):
            continue
        (shared if count else unused).append(tunnel)
    preferred = None if owner is None else owner.preferred_pod
    avoided = None if owner is None else owner.avoided_pod
    if owner is not None and not owner.is_demand:
        # The daemon's own question is about that pod: another's answer would be none.
        unused = [each for each in unused if each.endpoint.pod == preferred] or unused
    best = _best_unused(unused, load_of_pod, preferred, avoided)
    least = _least_shared(shared, preferred, avoided) if best is None or avoided else None
    return Survey(best, least, len(unused), able, load, is_shared)


def _best_unused(
    unused: Iterable[Tunnel],
    load_of_pod: Mapping[str, int],
    preferred: str | None,
    avoided: str | None,
) -> Tunnel | None:
    """Among equals, one without any stream comes before one whose streams are still ending."""
    best: Tunnel | None = None
    least = (True, 1 << 30, True, True)
    # Most often the first that is looked at: no other can be better.
    perfect = (False, 0, False, False)
    for tunnel in unused:
        pod = tunnel.endpoint.pod
        is_other = preferred is not None and pod != preferred
        cost = (pod == avoided, load_of_pod.get(pod, 0), is_other, not tunnel.streams.is_idle)
        if best is None or cost < least:
            best, least = tunnel, cost
            if cost == perfect:
                break
    return best


def _least_shared(
    shared: Iterable[Tunnel], preferred: str | None, avoided: str | None
) -> Tunnel | None:
    def cost(tunnel: Tunnel) -> tuple[bool, bool, int, bool]:
        pod = tunnel.endpoint.pod
        # One whose reading is stopped for a lagging reader comes last.
        return pod == avoided, tunnel.is_read_paused, tunnel.streams.load, pod != preferred

    return min(shared, key=cost, default=None)


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
