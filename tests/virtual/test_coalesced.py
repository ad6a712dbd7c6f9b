"""Work that many changes ask for."""

from __future__ import annotations

import asyncio

from virtual_clock import run

from llmgwd.system.coalesced import Coalesced


def test_a_flood_of_changes_is_a_few_calls() -> None:
    async def flood() -> None:
        with Coalesced(lambda: calls.append(asyncio.get_running_loop().time()), 2, 0.5) as call:
            began = asyncio.get_running_loop().time()
            for _ in range(1000):
                call()
                await asyncio.sleep(0.001)
            await asyncio.sleep(5)
        seen.extend(round(at - began, 2) for at in calls)

    calls: list[float] = []
    seen: list[float] = []
    run(flood)

    assert seen == [0.0, 0.0, 0.5, 0.5, 1.0]


def test_what_is_due_does_not_come_after_its_owner() -> None:
    async def leave() -> None:
        with Coalesced(lambda: calls.append(1), 1, 0.5) as call:
            call()
            call()
        await asyncio.sleep(1)

    calls: list[int] = []
    run(leave)

    assert calls == [1]
