"""Which of a forward's routes takes what is new: a pure choice, made again at each change.

Two mistakes are possible, and they cost differently. To switch too early moves clients to and fro:
a fallback may be slower, or answer from another gateway with other keys and models. To switch too
late makes them wait in the hold. So a route that fell gets a little time to come back before
another takes over, and one that came back has to stay up for a while before it gets the clients
back. Neither rule ever keeps a client from a route that is up while the other is down: a route
that has to prove itself is used at once if the one in use falls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Most losses are cured within this: a pod is replaced, tunnels are dialled again. It is a tenth of
# the default hold, so that a client that waited this long still has time for the fallback.
PATIENCE_S: Final = 3.0
# A cluster that comes up after an outage often falls once or twice more.
PROOF_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one route: is it up, and since when is it so (on the loop's clock)?"""

    is_up: bool
    since: float


def choose(standings: Sequence[Standing], active: int, now: float) -> int:
    """Give the place of the route for what is new, among routes in order of preference.

    `active` is the one chosen before. As time passes the choice may change without a change of
    any route: it is to be made again now and then.
    """
    usable = [place for place, each in enumerate(standings) if each.is_up]
    if not usable:
        return active
    if not standings[active].is_up:
        is_better = usable[0] < active
        is_given_up = now - standings[active].since >= PATIENCE_S
        return usable[0] if is_better or is_given_up else active
    better = (place for place in usable if place < active)
    return next((place for place in better if now - standings[place].since >= PROOF_S), active)
