"""Sleep is noticed by the clock that ran on without us."""

from __future__ import annotations

import anyio
from virtual_clock import run

from llmgwd.system import suspend


def _woken(jumps: dict[int, float]) -> list[tuple[float, float]]:
    """Run for ten seconds; at the n-th look the clock has jumped by so much."""
    told: list[tuple[float, float]] = []
    looks = iter(range(1000))
    jumped = 0.0

    def clock() -> float:
        nonlocal jumped
        jumped += jumps.get(next(looks), 0.0)
        return anyio.current_time() + jumped

    async def main() -> None:
        with anyio.move_on_after(10.5):
            await suspend.watch(
                lambda missed_s: told.append((anyio.current_time(), round(missed_s, 6))), clock
            )

    run(main)
    return told


def test_a_clock_that_ran_on_for_an_hour_is_noticed_within_a_second_and_once() -> None:
    assert _woken({4: 3600.0}) == [(4.0, 3600.0)]


def test_a_loop_that_is_late_by_three_seconds_has_not_slept() -> None:
    assert _woken({2: 3.0, 5: 2.0}) == []


def test_each_sleep_is_told() -> None:
    assert _woken({3: 10.0, 4: 20.0}) == [(3.0, 10.0), (4.0, 20.0)]
