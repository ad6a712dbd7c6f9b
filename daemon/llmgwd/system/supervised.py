"""The barrier around long-lived tasks: a bug in one is logged and reported, and the task goes on.

Without it, one task group holds everything, and whatever no one caught ends the daemon with all
its forwards. What a task is and what it holds is its own affair: it is simply called again, so
it has to begin from nothing each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final

import anyio
import structlog
from tenacity import wait_exponential

from llmgwctl.wire import ConditionKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.system.backoff import FORGIVEN_AFTER_S, RetryWait
from llmgwd.system.process.descriptors import exhausted, is_exhaustion

# A bug that shows at once shows again at once; its traceback fills the log twice a minute at most.
BUG_WAIT: Final = RetryWait((Exception, wait_exponential(multiplier=0.5, max=30.0)))
# A task that was started again and has lived this long is taken for well.
WELL_AFTER_S: Final = 60.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Bug:
    task: str
    error: Exception


class Supervisor:
    """Runs tasks behind the barrier; `changed` is called when `problems` gives something else."""

    def __init__(self, changed: Callable[[], None], **context: str) -> None:
        self._changed = changed
        self._context = context
        self._bugs: dict[Hashable, _Bug] = {}

    def problems(self) -> tuple[LlmgwError, ...]:
        """Give the bugs that keep a task from its work now or did so a moment ago."""
        return tuple(_problem(bug) for bug in self._bugs.values())

    async def keep(self, task: str, work: Callable[[], Awaitable[object]]) -> None:
        """Run a task until it returns or is cancelled; call it again whenever it raises."""
        failures = 0
        key = object()
        try:
            while True:
                began = anyio.current_time()
                try:
                    async with anyio.create_task_group() as beside:
                        if key in self._bugs:
                            beside.start_soon(self._clear_later, key)
                        await work()
                        beside.cancel_scope.cancel()
                    return
                except Exception as caught:
                    error = _unwrapped(caught)
                    has_lived = anyio.current_time() - began >= FORGIVEN_AFTER_S
                    failures = 1 if has_lived else failures + 1
                    wait_s = BUG_WAIT(error, failures)
                    self._note(key, task, error, retry_in_s=wait_s)
                await anyio.sleep(wait_s)
        finally:
            self._clear(key)

    async def attempt(self, task: str, work: Callable[[], Awaitable[object]]) -> bool:
        """Run work that ends by itself, once; say whether it did. A bug stands until it does."""
        try:
            await work()
        except Exception as bug:
            self._note(task, task, _unwrapped(bug))
            return False
        self._clear(task)
        return True

    def _note(self, key: Hashable, task: str, error: Exception, **fields: float) -> None:
        _log.error("task broke", task=task, exc_info=error, **self._context, **fields)
        self._bugs[key] = _Bug(task, error)
        self._changed()

    async def _clear_later(self, key: Hashable) -> None:
        await anyio.sleep(WELL_AFTER_S)
        self._clear(key)

    def _clear(self, key: Hashable) -> None:
        if self._bugs.pop(key, None) is not None:
            self._changed()


def _unwrapped(error: Exception) -> Exception:
    """Give the one error of a group of one, whose own traceback is the one to read."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _problem(bug: _Bug) -> LlmgwError:
    if is_exhaustion(bug.error):
        return exhausted()
    return Transient(
        ConditionKind.INTERNAL,
        f"A mistake in llmgwd itself: {bug.task} failed ({type(bug.error).__name__}).",
        "llmgwctl service logs",
    )
