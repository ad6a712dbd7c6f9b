"""Sleep is noticed by the clock that ran on without us."""

from __future__ import annotations

import time

import anyio
from virtual_clock import run

from llmgwd.system.process import suspend
from llmgwd.system.process.boot_timer import BootTimer
from llmgwd.system.process.suspend import TICK_S


def _woken(jumps: dict[int, float]) -> list[tuple[float, float]]:
    """Run for 22 s; at the n-th look the clock has jumped by so much."""
    told: list[tuple[float, float]] = []
    looks = iter(range(1000))
    jumped = 0.0

    def clock() -> float:
        nonlocal jumped
        jumped += jumps.get(next(looks), 0.0)
        return anyio.current_time() + jumped

    async def main() -> None:
        with anyio.move_on_after(22.0):
            await suspend.watch(
                lambda missed_s: told.append((anyio.current_time(), round(missed_s, 6))), clock
            )

    run(main)
    return told


def test_a_clock_that_ran_on_for_an_hour_is_noticed_at_the_next_look_and_once() -> None:
    assert _woken({2: 3600.0}) == [(2 * TICK_S, 3600.0)]


def test_a_loop_that_is_late_by_three_seconds_has_not_slept() -> None:
    assert _woken({2: 3.0, 4: 2.0}) == []


def test_each_sleep_is_told() -> None:
    assert _woken({2: 10.0, 3: 20.0}) == [(2 * TICK_S, 10.0), (3 * TICK_S, 20.0)]


def test_the_boot_timer_sleeps_as_long_as_it_is_told() -> None:
    async def main() -> float:
        with BootTimer() as timer:
            began = time.monotonic()
            await timer.sleep(0.05)
            await timer.sleep(0.05)
            return time.monotonic() - began

    assert 0.1 <= anyio.run(main) < 1.0
