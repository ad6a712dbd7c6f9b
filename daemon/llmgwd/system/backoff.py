"""When to try again: tenacity's loop, our jitter, and news that cut every wait short.

Full jitter: the n-th failure in a row waits between nothing and twice as long as the one before,
so that a cluster that comes back is not met by everybody at once.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from llmgwd.errors import Blocked, LlmgwError, Transient

FIRST_S: Final = 0.2
LONGEST_S: Final = 30.0
# What only a person can cure is asked for rarely; the news of the cure comes by another way.
BLOCKED_S: Final = 30.0
# While somebody is there, asking more often may be worth it for them; a login is not run more often
# for that, its own patience sees to it.
DEMAND_S: Final = 5.0
# A route that fell within this time of coming up was not cured: its failures still count.
FORGIVEN_AFTER_S: Final = 10.0


def full_jitter_s(
    failures: int, uniform: Callable[[float, float], float] = random.uniform
) -> float:
    """Choose how long to wait after that many failures in a row (from 1)."""
    # 2 ** 16 is far past the longest; a larger power would overflow one day.
    return uniform(0.0, min(LONGEST_S, FIRST_S * 2 ** min(failures - 1, 16)))


class Wakeup:
    """Something happened that makes trying again worth while."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, longest_s: float) -> bool:
        """Wait for news, but no longer; say whether there were any. A wake-up set before counts."""
        with anyio.move_on_after(longest_s):
            await self._event.wait()
        is_news, self._event = self._event.is_set(), anyio.Event()
        return is_news


class Backoff:
    """Keeps one attempt at a time going for ever.

    `failed` is told each failure, how many there were in a row, and in how many seconds the next
    attempt comes unless there are news; `has_demand` is asked whether somebody is there.
    """

    def __init__(
        self,
        wakeup: Wakeup,
        failed: Callable[[LlmgwError, int, float], None],
        has_demand: Callable[[], bool] = lambda: False,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.failures = 0
        self._wakeup = wakeup
        self._failed = failed
        self._uniform = uniform
        self._has_demand = has_demand
        self._began_at = 0.0

    async def keep(self, attempt: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
        """Attempt again whenever one ends in `Transient` or `Blocked`; all else is a bug."""
        retrying = AsyncRetrying(
            sleep=self._sleep,
            wait=self._wait_s,
            retry=retry_if_exception_type((Transient, Blocked)),
            before=self._note_start,
            before_sleep=self._tell,
        )
        await retrying(attempt)
        raise AssertionError("an attempt ended without an error")

    def _note_start(self, _state: RetryCallState) -> None:
        self._began_at = anyio.current_time()

    def _wait_s(self, state: RetryCallState) -> float:
        if anyio.current_time() - self._began_at >= FORGIVEN_AFTER_S:
            self.failures = 0
        self.failures += 1
        error = _error_of(state)
        if isinstance(error, Blocked):
            return BLOCKED_S
        wait_s = full_jitter_s(self.failures, self._uniform)
        asked_s = error.retry_after_s if isinstance(error, Transient) else None
        return wait_s if asked_s is None else max(wait_s, min(asked_s, LONGEST_S))

    def _tell(self, state: RetryCallState) -> None:
        assert state.next_action is not None
        self._failed(_error_of(state), self.failures, state.next_action.sleep)

    async def _sleep(self, seconds: float) -> None:
        until = anyio.current_time() + seconds
        while (rest_s := until - anyio.current_time()) > 0:
            if await self._wakeup.wait(min(rest_s, DEMAND_S)):
                # The world changed: what failed in the old one says nothing about the new.
                self.failures = 0
                return
            if self._has_demand():
                return


def _error_of(state: RetryCallState) -> LlmgwError:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, LlmgwError)
    return error
