"""Which route takes new connections, as the instants go by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.forwards.route_choice import PATIENCE_S, PROOF_S, Standing, choose

UP, DOWN = True, False


@pytest.mark.parametrize(
    ("standings", "active", "now", "choice"),
    [
        # The preferred one is up: nothing else counts.
        ([(UP, 0.0), (UP, 0.0)], 0, 100.0, 0),
        # It fell: another takes over after three seconds, not before.
        ([(DOWN, 10.0), (UP, 0.0)], 0, 10.0, 0),
        ([(DOWN, 10.0), (UP, 0.0)], 0, 12.999, 0),
        ([(DOWN, 10.0), (UP, 0.0)], 0, 13.0, 1),
        # Nothing else is up: it stays the one that is waited for.
        ([(DOWN, 10.0), (DOWN, 0.0)], 0, 99.0, 0),
        # It is back, and has to live for half a minute first.
        ([(UP, 50.0), (UP, 0.0)], 1, 50.0, 1),
        ([(UP, 50.0), (UP, 0.0)], 1, 79.999, 1),
        ([(UP, 50.0), (UP, 0.0)], 1, 80.0, 0),
        # The fallback falls meanwhile: then the preferred one is good enough at once.
        ([(UP, 50.0), (DOWN, 60.0)], 1, 60.0, 0),
        # Of several fallbacks the first that is up.
        ([(DOWN, 0.0), (DOWN, 0.0), (UP, 0.0)], 0, 3.0, 2),
        ([(DOWN, 0.0), (UP, 5.0), (UP, 0.0)], 2, 34.9, 2),
        ([(DOWN, 0.0), (UP, 5.0), (UP, 0.0)], 2, 35.0, 1),
    ],
)
def test_the_choice_at_each_instant(
    standings: list[tuple[bool, float]], active: int, now: float, choice: int
) -> None:
    assert choose([Standing(*each) for each in standings], active, now) == choice


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 100)), min_size=1, max_size=4),
    st.integers(0, 3),
    st.floats(100, 200),
)
def test_after_patience_and_proof_the_best_route_that_is_up_is_chosen(
    standings: list[tuple[bool, float]], active: int, now: float
) -> None:
    routes = [Standing(*each) for each in standings]
    active = min(active, len(routes) - 1)
    later = now + PATIENCE_S + PROOF_S

    index = choose(routes, choose(routes, active, later), later)

    usable = [place for place, each in enumerate(routes) if each.is_up]
    assert index == (usable[0] if usable else active)
