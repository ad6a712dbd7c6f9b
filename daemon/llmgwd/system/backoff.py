"""When to try again after a failure: one rule over tenacity's wait strategies, for every retry.

Full jitter: the n-th failure in a row waits between nothing and twice as long as the one before,
so that a cluster that comes back is not met by every client at once.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import anyio
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_fixed,
    wait_random_exponential,
)

from llmgwd.errors import Blocked, LlmgwError, Transient

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from llmgwd.system.wakeup import Wakeup

FIRST_S: Final = 0.2
LONGEST_S: Final = 30.0
# What only a person can cure is tried rarely; a changed file reports the cure at once.
BLOCKED_S: Final = 30.0
# While a client waits, asking more often may help it. A login is not run more often for that: its
# own limits see to it.
DEMAND_S: Final = 5.0
# A route that fell within this time of coming up was not cured: its failures still count.
FORGIVEN_AFTER_S: Final = 10.0


class RetryWait:
    """Gives the seconds until the next attempt: a wait strategy for each class of error.

    The first class that fits counts. The peer's own word on when (Retry-After) lengthens a wait,
    up to `LONGEST_S`: a server that asks for an hour may be back in a minute.
    """

    def __init__(self, *strategies: tuple[type[Exception], wait_base]) -> None:
        self._strategies = strategies

    def __call__(self, error: Exception, failures: int, most_s: float = math.inf) -> float:
        """Choose how long to wait after that many failures in a row (from 1).

        `most_s` bounds our own patience, not the peer's word.
        """
        strategy = next(each for kind, each in self._strategies if isinstance(error, kind))
        wait_s = min(strategy(_after(failures)), most_s)
        asked_s = error.retry_after_s if isinstance(error, Transient) else None
        return wait_s if asked_s is None else max(wait_s, min(asked_s, LONGEST_S))


# Of the way into a cluster: its watch and the dials of its tunnels.
CLUSTER_WAIT: Final = RetryWait(
    (Blocked, wait_fixed(BLOCKED_S)),
    (LlmgwError, wait_random_exponential(multiplier=FIRST_S, max=LONGEST_S)),
)


class Backoff:
    """Runs one attempt after the other, for ever.

    `failed` is called with each failure, how many there were in a row, and in how many seconds
    the next attempt comes unless `wakeup` is set; `has_demand` says whether a client waits.
    """

    def __init__(
        self,
        wakeup: Wakeup,
        failed: Callable[[LlmgwError, int, float], None],
        has_demand: Callable[[], bool] = lambda: False,
        wait: RetryWait = CLUSTER_WAIT,
    ) -> None:
        self.failures = 0
        self._wakeup = wakeup
        self._failed = failed
        self._wait = wait
        self._has_demand = has_demand
        self._began_at = 0.0
        self._is_hastened = False

    def hasten(self) -> None:
        """Attempt at once what waits; the failures before it count on."""
        self._is_hastened = True
        self._wakeup.set()

    async def keep(self, attempt: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
        """Attempt again whenever one ends in `Transient` or `Blocked`; all else is a bug."""
        retrying = AsyncRetrying(
            sleep=self._sleep,
            wait=self._wait_s,
            retry=retry_if_exception_type((Transient, Blocked)),
            before=self._note_start,
            before_sleep=self._report,
        )
        await retrying(attempt)
        raise AssertionError("an attempt ended without an error")

    def _note_start(self, _state: RetryCallState) -> None:
        self._began_at = anyio.current_time()

    def _wait_s(self, state: RetryCallState) -> float:
        if anyio.current_time() - self._began_at >= FORGIVEN_AFTER_S:
            self.failures = 0
        self.failures += 1
        return self._wait(_error_of(state), self.failures)

    def _report(self, state: RetryCallState) -> None:
        assert state.next_action is not None
        self._failed(_error_of(state), self.failures, state.next_action.sleep)

    async def _sleep(self, seconds: float) -> None:
        until = anyio.current_time() + seconds
        while (rest_s := until - anyio.current_time()) > 0:
            if await self._wakeup.wait(min(rest_s, DEMAND_S)):
                # The world changed: what failed in the old one says nothing about the new.
                self.failures = self.failures if self._is_hastened else 0
                self._is_hastened = False
                return
            if self._has_demand():
                return


def _error_of(state: RetryCallState) -> LlmgwError:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, LlmgwError)
    return error


def _after(failures: int) -> RetryCallState:
    """Make the state that tenacity's strategies read; they look at nothing but the number."""
    state = RetryCallState(cast("Any", None), None, (), {})
    state.attempt_number = failures
    return state
