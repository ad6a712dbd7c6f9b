"""The state of a forward: one table, one function, no other way to change it.

What happened is decided elsewhere (`supervisor`); here stands only where it leads.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from llmgwctl.wire import State


class Happening(StrEnum):
    """What can happen to a forward, as far as its state is concerned."""

    SERVED = "served"  # it carries connections and nothing is wrong
    IMPAIRED = "impaired"  # it carries them, but not as it should
    LOST = "lost"  # nothing carries them; it tries again by itself
    BLOCKED = "blocked"  # nothing carries them until a person acts
    STOPPED = "stopped"
    STARTED = "started"


_FOUND: Final = {
    Happening.SERVED: State.READY,
    Happening.IMPAIRED: State.DEGRADED,
    Happening.LOST: State.RECONNECTING,
    Happening.BLOCKED: State.BLOCKED,
    Happening.STOPPED: State.STOPPED,
}

# From every state but `stopped` everything can be found that is not so already.
_NEXT: Final = {
    (state, happening): found
    for state in State
    if state is not State.STOPPED
    for happening, found in _FOUND.items()
    if found is not state
} | {(State.STOPPED, Happening.STARTED): State.STARTING}


class ImpossibleStep(Exception):
    """A happening that this state cannot meet: a bug of ours."""


def step(state: State, happening: Happening) -> State:
    """Give the state that follows.

    Raises:
        ImpossibleStep: the happening says what is so already, or meets a stopped forward.
    """
    try:
        return _NEXT[state, happening]
    except KeyError:
        raise ImpossibleStep(f"{happening} cannot happen to a forward that is {state}") from None


def found(state: State, happening: Happening) -> bool:
    """Does the state say already what was found?"""
    return _FOUND.get(happening) is state
