"""When the next attempt comes: exact instants on a virtual clock."""

from __future__ import annotations

import itertools
import random
from typing import NoReturn

import anyio
import pytest
from tenacity import wait_exponential, wait_fixed
from virtual_clock import run

from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.system.backoff import (
    BLOCKED_S,
    CLUSTER_WAIT,
    FIRST_S,
    LONGEST_S,
    Backoff,
    RetryWait,
)
from llmgwd.system.wakeup import Wakeup

# The jitter's upper end: the wait that no retry exceeds.
MOST = RetryWait(
    (Blocked, wait_fixed(BLOCKED_S)),
    (Transient, wait_exponential(multiplier=FIRST_S, max=LONGEST_S)),
)


class _Attempts:
    """Attempts that fail as told, each after living for so long; the instants they began."""

    def __init__(self, *fates: tuple[float, LlmgwError]) -> None:
        self.began: list[float] = []
        self.told: list[tuple[str, int, float]] = []
        self._fates = list(fates)

    async def attempt(self) -> NoReturn:
        self.began.append(round(anyio.current_time(), 6))
        if not self._fates:
            await anyio.sleep_forever()
        lived_s, error = self._fates.pop(0)
        await anyio.sleep(lived_s)
        raise error

    def failed(self, error: LlmgwError, failures: int, retry_in_s: float) -> None:
        self.told.append((error.code, failures, retry_in_s))


def _begun(
    attempts: _Attempts,
    news_at: tuple[float, ...] = (),
    *,
    for_s: float = 600,
    has_demand: bool = False,
) -> list[float]:
    async def main() -> None:
        wakeup = Wakeup()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                Backoff(wakeup, attempts.failed, lambda: has_demand, MOST).keep, attempts.attempt
            )
            for before, at in itertools.pairwise((0.0, *news_at)):
                await anyio.sleep(at - before)
                wakeup.set()
            await anyio.sleep(for_s)
            tasks.cancel_scope.cancel()

    run(main)
    return attempts.began


LOST = Transient("api-server-unreachable", "gone")
EXPIRED = Blocked("login-expired", "expired")


def test_waits_double_from_a_fifth_of_a_second_to_half_a_minute() -> None:
    attempts = _Attempts(*[(0.0, LOST)] * 10)

    began = _begun(attempts)

    waits = [round(after - before, 6) for before, after in itertools.pairwise(began)]
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert [failures for _, failures, _ in attempts.told] == list(range(1, 11))
    assert [retry_in_s for _, _, retry_in_s in attempts.told] == waits


def test_a_route_that_lived_ten_seconds_is_forgiven_and_one_that_lived_nine_is_not() -> None:
    attempts = _Attempts((0.0, LOST), (0.0, LOST), (9.9, LOST), (10.0, LOST), (0.0, LOST))

    _begun(attempts)

    assert [failures for _, failures, _ in attempts.told] == [1, 2, 3, 1, 2]


def test_what_a_person_must_cure_is_retried_every_half_minute() -> None:
    assert _begun(_Attempts(*[(0.0, EXPIRED)] * 3)) == [0.0, BLOCKED_S, 2 * BLOCKED_S, 90.0]


def test_while_somebody_waits_nothing_is_put_off_for_longer_than_five_seconds() -> None:
    attempts = _Attempts(*[(0.0, EXPIRED)] * 2, *[(0.0, LOST)] * 8)

    began = _begun(attempts, has_demand=True)

    waits = [round(after - before, 6) for before, after in itertools.pairwise(began)]
    assert waits == [5.0, 5.0, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize("error", [LOST, EXPIRED])
def test_news_cut_a_wait_short_and_failures_before_them_are_forgotten(error: LlmgwError) -> None:
    attempts = _Attempts((0.0, EXPIRED), (0.0, error), (0.0, LOST))

    began = _begun(attempts, news_at=(7.0,))

    assert began[:2] == [0.0, 7.0]
    assert [failures for _, failures, _ in attempts.told][:2] == [1, 1]


def test_news_that_come_during_an_attempt_are_not_lost() -> None:
    assert _begun(_Attempts((5.0, EXPIRED)), news_at=(3.0,)) == [0.0, 5.0]


def test_the_servers_own_word_on_when_is_kept_up_to_the_longest_wait() -> None:
    patient = Transient("api-server-failing", "busy", retry_after_s=5.0)
    endless = Transient("api-server-failing", "busy", retry_after_s=3600.0)

    assert _begun(_Attempts((0.0, patient), (0.0, endless))) == [0.0, 5.0, 35.0]


def test_a_bug_is_no_failure_to_retry() -> None:
    class _Broken(_Attempts):
        async def attempt(self) -> NoReturn:
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup, match="unhandled errors") as caught:
        _begun(_Broken())
    assert caught.group_contains(ZeroDivisionError)


def test_the_jitter_is_full_from_nothing_to_the_bound() -> None:
    random.seed(7)
    waits = [CLUSTER_WAIT(LOST, failures) for failures in range(1, 400)]

    expected = random.Random(7)
    bounds = [min(LONGEST_S, FIRST_S * 2 ** min(n, 16)) for n in range(399)]
    assert waits == [expected.uniform(0.0, bound) for bound in bounds]
    assert min(waits[10:]) < 1.0
    assert max(waits) > 29.0


def test_the_first_class_of_error_that_fits_chooses_the_wait() -> None:
    by_class = RetryWait((Blocked, wait_fixed(300)), (LlmgwError, wait_fixed(5)))

    assert [by_class(each, 1) for each in (EXPIRED, LOST)] == [300, 5]


def test_a_bound_shortens_our_own_patience_and_not_the_servers_word() -> None:
    patient = Transient("api-server-failing", "busy", retry_after_s=5.0)

    assert MOST(LOST, 9, most_s=1.0) == 1.0
    assert MOST(patient, 9, most_s=1.0) == 5.0
