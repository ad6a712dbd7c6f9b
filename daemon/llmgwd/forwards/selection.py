"""Which of a forward's routes takes new connections: a pure choice, made again at each change.

A route that is preferred gets a little time to come back before another takes over, and has to
prove itself before it gets the connections back; whatever serves is better than what does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Most losses are cured within this (a pod is replaced, tunnels are dialled again); to switch for
# them would only move people to and fro.
PATIENCE_S: Final = 3.0
# A cluster that comes up after an outage often falls once or twice more.
PROOF_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one route: is it up, and since when is it so (on the loop's clock)?"""

    is_up: bool
    since: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The route (by its place) for new connections, and when to choose again at the latest."""

    index: int
    again_at: float | None = None


def choose(standings: Sequence[Standing], active: int, now: float) -> Choice:
    """Choose among routes in order of preference; `active` is the one chosen before."""
    usable = [index for index, each in enumerate(standings) if each.is_up]
    if not usable:
        return Choice(active)
    if not standings[active].is_up:
        return _instead(standings, active, usable[0], now)
    better = [index for index in usable if index < active]
    proved = [index for index in better if now - standings[index].since >= PROOF_S]
    if proved:
        return Choice(proved[0])
    again_at = min((standings[index].since + PROOF_S for index in better), default=None)
    return Choice(active, again_at)


def _instead(standings: Sequence[Standing], active: int, best: int, now: float) -> Choice:
    """The active route is down and `best` is up: at once if that is the better one anyway."""
    give_up_at = standings[active].since + PATIENCE_S
    if best < active or now >= give_up_at:
        return Choice(best)
    return Choice(active, give_up_at)
