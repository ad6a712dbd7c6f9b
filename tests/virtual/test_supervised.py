"""A bug in a long-lived task is reported and ends nothing; exact instants on a virtual clock."""

from __future__ import annotations

import anyio
from virtual_clock import run

from llmgwctl.wire import ConditionKind
from llmgwd.system.supervised import WELL_AFTER_S, Supervisor


class _Task:
    """Raises once it has lived as long as the next fate says, then lives for ever."""

    def __init__(self, *fates_s: float) -> None:
        self.began: list[float] = []
        self._fates_s = list(fates_s)

    async def work(self) -> None:
        self.began.append(anyio.current_time())
        if not self._fates_s:
            await anyio.sleep_forever()
        await anyio.sleep(self._fates_s.pop(0))
        raise RecursionError


def _kept(task: _Task, for_s: float) -> list[tuple[float, list[str]]]:
    """Run a task; give when the problems changed, and to what."""
    seen: list[tuple[float, list[str]]] = []

    def changed() -> None:
        kinds = [error.code for error in supervisor.problems()]
        seen.append((round(anyio.current_time(), 6), kinds))

    supervisor = Supervisor(changed)

    async def main() -> None:
        with anyio.move_on_after(for_s):
            await supervisor.keep("health", task.work)

    run(main)
    return seen


INTERNAL = [ConditionKind.INTERNAL]


def test_a_task_that_breaks_is_started_again_after_half_a_second_then_more_slowly() -> None:
    task = _Task(*[0.0] * 8)

    _kept(task, 100)

    assert task.began == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5]


def test_a_task_that_lived_ten_seconds_is_forgiven() -> None:
    task = _Task(0.0, 0.0, 10.0, 0.0)

    _kept(task, 100)

    assert task.began == [0.0, 0.5, 1.5, 12.0, 13.0]


def test_a_bug_stands_until_the_task_has_been_well_for_a_minute() -> None:
    assert _kept(_Task(5.0), 100) == [(5.0, INTERNAL), (5.5 + WELL_AFTER_S, [])]


def test_a_bug_goes_with_the_task_that_is_cancelled() -> None:
    assert _kept(_Task(5.0), 20) == [(5.0, INTERNAL), (20.0, [])]


def test_one_broken_task_leaves_its_neighbours_alone() -> None:
    neighbour = _Task()

    async def main() -> None:
        supervisor = Supervisor(lambda: None)
        with anyio.move_on_after(50):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(supervisor.keep, "journal", _Task(*[0.0] * 4).work)
                tasks.start_soon(supervisor.keep, "health", neighbour.work)

    run(main)

    assert neighbour.began == [0.0]


def test_a_task_that_returns_is_done() -> None:
    async def once() -> None:
        await anyio.sleep(1)

    async def main() -> float:
        await Supervisor(lambda: None).keep("watchdog", once)
        return anyio.current_time()

    assert run(main) == 1.0


def test_an_attempt_that_failed_stands_until_one_succeeds() -> None:
    fates = [True, False]
    seen: list[int] = []

    async def reload() -> None:
        if fates.pop(0):
            raise MemoryError

    async def main() -> list[bool]:
        supervisor = Supervisor(lambda: seen.append(len(supervisor.problems())))
        return [await supervisor.attempt("reload", reload) for _ in range(2)]

    assert run(main) == [False, True]
    assert seen == [1, 0]


def test_a_bug_is_reported_with_the_name_of_its_task_and_nothing_of_its_text() -> None:
    async def reload() -> None:
        raise ValueError("what the peer sent")

    async def main() -> str:
        supervisor = Supervisor(lambda: None)
        await supervisor.attempt("the reload", reload)
        return supervisor.problems()[0].message

    assert run(main) == "A mistake in llmgwd itself: the reload failed (ValueError)."
