"""How many tunnels are wanted: owners that wait in line for one, and those kept for the next burst.

Waiting has a price: a dial takes a few round trips, while a tunnel that others use is there now.
So an owner waits for a tunnel of its own only for `LINE_PATIENCE_S`, then it shares. The daemon's
own probe goes to the head of the line: there is one of it at a time, and what it finds out is for
everyone else.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwd.relay.route import StreamOwner
    from llmgwd.tunnel.tunnel import Tunnel
    from llmgwd.tunnel.tunnel_choice import Survey

# Idle tunnels kept ready: a coding assistant opens up to eight connections at once; two are enough
# for the first call after a long silence.
WARM_IN_USE: Final = 8
WARM_AT_REST: Final = 2
AT_REST_AFTER_S: Final = 60.0
# After this long without a client a forward is asked about, and its tunnels are pinged, rarely.
UNUSED_AFTER_S: Final = 3600.0
# A surplus tunnel is kept this long for the next burst.
SURPLUS_FOR_S: Final = 15.0
# Beyond the cap, for the daemon's own probe: a cap full of streams that hang is just when its
# answer matters.
RESERVED_FOR_PROBE: Final = 1
# The daemon's own question has its tunnel for a moment. To dial another in its place, each time,
# was two thirds of what an idle daemon did. containerd ends a stream a second after its pod did.
LENT_FOR_S: Final = 2.0
# TLS handshakes cost the API server and us some 3 ms of processor each; more at once only queue.
DIALS_AT_ONCE: Final = 8
# While streams share, they need the processors more than the next tunnel does.
DIALS_IN_A_CROWD: Final = 2
# A tunnel of one's own is worth waiting for a few round trips, not longer: then one shares.
LINE_PATIENCE_S: Final = 0.25


class Demand:
    """The line, in the order of arrival, and when a client last came.

    `limit` is the cap on tunnels that could take another stream.
    """

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._began_at = now
        self.last_at = -inf  # when a client, not the probe, last asked for a stream
        self._lent_at = -inf  # when the probe last got one
        self._places: deque[tuple[StreamOwner, float]] = deque()  # and since when

    def __len__(self) -> int:
        return len(self._places)

    def note(self, owner: StreamOwner, now: float) -> bool:
        """Note that an owner comes; return whether it is the first client for very long."""
        if not owner.is_demand:
            self._lent_at = now
            return False
        is_first, self.last_at = self.is_unused(now), now
        return is_first

    def join(self, owner: StreamOwner, now: float) -> None:
        if owner.is_demand:
            self._places.append((owner, now))
        else:
            self._places.appendleft((owner, now))

    def leave(self, owner: StreamOwner) -> None:
        """Nothing happens to one that was served already."""
        self._places = deque(place for place in self._places if place[0] is not owner)

    def first(self) -> StreamOwner:
        return self._places[0][0]

    def disband(self) -> list[StreamOwner]:
        """Return all, in order; they wait no more."""
        owners = [owner for owner, _ in self._places]
        self._places.clear()
        return owners

    def is_patient(self, now: float) -> bool:
        """Does the first in line still wait for a tunnel of its own?"""
        return now - self._places[0][1] < LINE_PATIENCE_S

    def next_at(self) -> float:
        """Return when that patience ends."""
        return self._places[0][1] + LINE_PATIENCE_S if self._places else inf

    # How many tunnels.

    def is_in_use(self, now: float) -> bool:
        return now - self.last_at < AT_REST_AFTER_S

    def is_unused(self, now: float) -> bool:
        return now - max(self.last_at, self._began_at) >= UNUSED_AFTER_S

    def warm_target(self, now: float) -> int:
        """How many idle tunnels are kept ready."""
        return min(WARM_IN_USE if self.is_in_use(now) else WARM_AT_REST, self.limit)

    def has_room(self, seen: Survey, *, is_probe: bool) -> bool:
        """May one more stream have a tunnel of its own? Past the cap, streams share."""
        if is_probe:
            return seen.able < self.limit + RESERVED_FOR_PROBE
        return seen.load + len(self._places) < self.limit

    def is_short(self, seen: Survey, now: float) -> bool:
        """Will too few tunnels be ready once one of those seen is taken for more than a moment?"""
        return seen.able < self.limit and self._ready(seen, now) <= self.warm_target(now)

    def dials_wanted(self, seen: Survey, under_way: int, now: float) -> int:
        """Count those that a route that is up is short of."""
        ready = self._ready(seen, now)
        wanted = self.warm_target(now) + len(self._places) - ready - under_way
        cap = self.limit + RESERVED_FOR_PROBE if self._has_probe() else self.limit
        at_once = DIALS_IN_A_CROWD if seen.is_shared else DIALS_AT_ONCE
        return max(min(wanted, cap - seen.able - under_way, at_once - under_way), 0)

    def surplus(self, idle: Sequence[Tunnel], now: float) -> list[Tunnel]:
        """Return those of the idle tunnels that are above the target, the longest idle first."""
        oldest = sorted(idle, key=lambda tunnel: tunnel.idle_since)
        return oldest[: max(len(oldest) - self.warm_target(now), 0)]

    def surplus_at(self, idle: Sequence[Tunnel], now: float) -> float:
        """Return when the next of them is to be closed."""
        surplus = self.surplus(idle, now)
        if surplus:
            return surplus[0].idle_since + SURPLUS_FOR_S
        rest_at = self.last_at + AT_REST_AFTER_S
        return rest_at if rest_at > now and len(idle) > WARM_AT_REST else inf

    def _ready(self, seen: Survey, now: float) -> int:
        return seen.ready + (now - self._lent_at < LENT_FOR_S)

    def _has_probe(self) -> bool:
        return bool(self._places) and not self._places[0][0].is_demand
