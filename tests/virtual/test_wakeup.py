"""A wake-up is never lost, and never counts twice."""

from __future__ import annotations

import anyio
from virtual_clock import run

from llmgwd.system.wakeup import Wakeup


def test_one_that_was_set_before_the_wait_ends_it_at_once() -> None:
    async def main() -> tuple[bool, float]:
        wakeup = Wakeup()
        wakeup.set()
        wakeup.set()
        return await wakeup.wait(5.0), anyio.current_time()

    assert run(main) == (True, 0.0)


def test_a_wait_that_it_ended_leaves_nothing_for_the_next_one() -> None:
    async def main() -> tuple[bool, float]:
        wakeup = Wakeup()
        wakeup.set()
        await wakeup.wait(5.0)
        return await wakeup.wait(5.0), anyio.current_time()

    assert run(main) == (False, 5.0)


def test_one_that_was_cleared_wakes_no_one() -> None:
    async def main() -> tuple[bool, float]:
        wakeup = Wakeup()
        wakeup.set()
        wakeup.clear()
        return await wakeup.wait(5.0), anyio.current_time()

    assert run(main) == (False, 5.0)
