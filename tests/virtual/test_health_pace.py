"""How often a gateway is asked whether it is well: exact instants on a virtual clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from virtual_clock import run

from llmgwd.config.model import Probe
from llmgwd.forwards.health import FRESH_S, IN_USE_EVERY_S, UNUSED_EVERY_S, Health
from llmgwd.gateway.probe import ProbeResult
from llmgwd.tunnel.demand import UNUSED_AFTER_S


def _asked(
    until_s: float,
    act: Callable[[Health, list[int]], Awaitable[None]] | None = None,
    act_at_s: float = 0.0,
) -> list[float]:
    """Give when a healthy gateway was asked; there is no route, so that no answer changes that."""
    asked: list[float] = []
    carried = [0]

    async def main() -> None:
        health = Health(
            Probe(every_s=10.0),
            lambda: asked.append(anyio.current_time()),
            lambda: None,
            lambda timing, seconds: None,
            lambda: carried[0],
        )
        health.result = ProbeResult(healthy=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(health.run)
            if act is not None:
                await anyio.sleep(act_at_s)
                await act(health, carried)
            await anyio.sleep_until(until_s)
            tasks.cancel_scope.cancel()

    run(main)
    return asked


def test_a_forward_that_is_used_is_asked_about_every_ten_seconds() -> None:
    assert _asked(45) == [10.0, 20.0, 30.0, 40.0]


def test_after_an_hour_without_use_it_is_asked_about_rarely() -> None:
    late = [at for at in _asked(UNUSED_AFTER_S + 400) if at > UNUSED_AFTER_S - 15]

    assert late[:2] == [UNUSED_AFTER_S - 10, UNUSED_AFTER_S]
    assert late[2:] == [UNUSED_AFTER_S + UNUSED_EVERY_S * n for n in (1, 2, 3)]


def test_a_gateway_in_use_is_asked_more_often() -> None:
    async def use(_health: Health, carried: list[int]) -> None:
        carried[0] += 1

    assert _asked(41, use, 12) == [10.0, 10.0 + IN_USE_EVERY_S, 20.0, 30.0, 40.0]


def test_use_brings_the_usual_pace_back() -> None:
    async def use(_health: Health, carried: list[int]) -> None:
        carried[0] += 1

    asked = _asked(UNUSED_AFTER_S + 195, use, UNUSED_AFTER_S + 100)

    assert [at for at in asked if at > UNUSED_AFTER_S] == [
        UNUSED_AFTER_S + at for at in (120, 125, 130, 140, 150, 160, 170, 180, 190)
    ]


def test_who_reads_an_old_answer_has_it_asked_again_and_waits_for_the_new_one() -> None:
    async def read(health: Health, _: list[int]) -> None:
        await health.refresh()
        read_at.append(anyio.current_time())

    read_at: list[float] = []
    asked = _asked(UNUSED_AFTER_S + 60, read, UNUSED_AFTER_S + 50)

    assert asked[-1:] == read_at == [UNUSED_AFTER_S + 50]


def test_an_answer_that_is_fresh_is_not_asked_for_again() -> None:
    async def read(health: Health, _: list[int]) -> None:
        await health.refresh()

    assert _asked(29, read, 20 + FRESH_S / 2) == [10.0, 20.0]
