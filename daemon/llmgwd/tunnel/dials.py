"""Dials under way: when the next one may be tried, and why the last one failed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.abc

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError, Transient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Sequence

    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.cluster.upgrade import Upgraded
    from llmgwd.system.backoff import RetryWait

DIAL_TIMEOUT_S: Final = 5.0
# A dial that hangs longer than this does not keep a fresh one from being tried: after a black
# hole the fresh one arrives while the old one still waits for a retransmission.
DIAL_HANGS_AFTER_S: Final = 0.8
DIALS_IN_THE_DARK: Final = 6
# While someone waits, tries come at least this often: a longer back-off would help no one.
DEMAND_RETRY_S: Final = 0.7
# No event announces that a permission was granted; while someone waits it is tried sooner.
BLOCKED_DEMAND_RETRY_S: Final = 5.0
# While a retry is pending, how often `has_demand` is asked: a connection that is held elsewhere
# announces itself to no pool. No route that is up wakes up for this.
DEMAND_LOOK_S: Final = 0.5
# With other tunnels standing, the way is there; what failed is one pod or one moment.
STANDING_RETRY_S: Final = 1.0
# While others serve, no one asks for a pod whose dial failed. It is dialled all the same now and
# then: what is shown of it must be what is so.
RECHECK_S: Final = 5.0
# What a failed dial says of its own pod, and of no other one.
_PODS_OWN: Final = (
    ConditionKind.NODE_FAILING,
    ConditionKind.NO_PODS,
    ConditionKind.TARGET_MISSING,
    ConditionKind.DIAL_REFUSED,
)


@dataclass(frozen=True, slots=True)
class DialFailure:
    """Of one endpoint: the last error, and since when each dial to it has failed. On the loop's
    clock.
    """

    error: LlmgwError
    since: float
    at: float


class DialOwner(Protocol):
    """Learns how dials end; calls come from the event loop."""

    def is_standing(self) -> bool:
        """Do other tunnels stand?"""

    def is_heard_since(self, instant: float) -> bool:
        """Did a byte come over any of them?"""

    def dial_succeeded(self, endpoint: Endpoint, upgraded: Upgraded) -> None: ...

    def dial_failed(self, error: LlmgwError, retry_in_s: float) -> None: ...

    def dial_ended(self) -> None:
        """Whichever way."""


Unanswered = Callable[["Endpoint", float, bool], "LlmgwError"]


def unanswered(endpoint: Endpoint, within_s: float, others_answer: bool) -> LlmgwError:
    """Say that a dial got no answer, where no more is known of the server."""
    return Transient(
        ConditionKind.API_SERVER_UNREACHABLE, f"The cluster gave no answer within {within_s:.0f} s."
    )


class Dials:
    """`dial` gives an upgraded connection to an endpoint or raises `Transient` or `Blocked`;
    `retry_wait` says how long to wait after a failure; `has_demand` whether a client waits for the
    route elsewhere; `unanswered` what it means that a dial did not end within so many seconds,
    while other tunnels through the same server were heard, or not.
    """

    def __init__(
        self,
        dial: Callable[[Endpoint], Awaitable[Upgraded]],
        retry_wait: RetryWait,
        owner: DialOwner,
        has_demand: Callable[[], bool],
        unanswered: Unanswered,
    ) -> None:
        self.attempts = 0  # that failed in a row
        self.retry_at: float | None = None  # on the loop's clock
        self.succeeded_at = 0.0  # when a tunnel last came to stand
        self._dial = dial
        self._retry_wait = retry_wait
        self._owner = owner
        self._has_demand = has_demand
        self._unanswered = unanswered
        self._failed_at = 0.0
        self._failed: dict[Endpoint, DialFailure] = {}  # those whose last dial did
        self._under_way: dict[anyio.CancelScope, tuple[Endpoint, float]] = {}  # and since when
        self._clock = asyncio.get_running_loop().time

    def __len__(self) -> int:
        return len(self._under_way)

    def endpoints(self) -> list[Endpoint]:
        """Whereto each that is under way leads."""
        return [endpoint for endpoint, _ in self._under_way.values()]

    def keep_to(self, endpoints: Collection[Endpoint]) -> None:
        """Forget what is known of any other: an error goes with the pod that it was about.

        One of ours about the way to all of them (no permission, no API server) is found out again
        by the next dial, if it is still so.
        """
        self._failed = {each: at for each, at in self._failed.items() if each in endpoints}

    @property
    def failure(self) -> DialFailure | None:
        """The latest that no success has disproved."""
        return max(self._failed.values(), key=lambda each: each.at, default=None)

    @property
    def last_error(self) -> LlmgwError | None:
        return None if self.failure is None else self.failure.error

    def failed_at(self, endpoint: Endpoint) -> float:
        """When the last dial to it failed; zero if it did not."""
        failure = self._failed.get(endpoint)
        return 0.0 if failure is None else failure.at

    def sound(self, endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
        """Leave out those whose last dial failed, unless all did: they have the fewest tunnels, and
        would be dialled in place of those that serve, five times a second.
        """
        return [each for each in endpoints if each not in self._failed] or endpoints

    def is_to_be_rechecked(self, endpoint: Endpoint) -> bool:
        """Has what is known of its failure grown old, and is nothing under way to it?"""
        failure = self._failed.get(endpoint)
        is_old = failure is not None and self._clock() >= failure.at + RECHECK_S
        return is_old and endpoint not in self.endpoints()

    def is_due(self, is_waited_for: bool) -> bool:
        """May another be tried now? Sooner, when someone waits, here or elsewhere."""
        if self.retry_at is None:
            return True
        if is_waited_for or self._has_demand():
            is_blocked = isinstance(self.last_error, Blocked)
            soonest_s = BLOCKED_DEMAND_RETRY_S if is_blocked else DEMAND_RETRY_S
            self.retry_at = min(self.retry_at, self._failed_at + soonest_s)
        return self._clock() >= self.retry_at

    def next_at(self) -> float:
        """Return when a dial may be due that is not now; ask again then, or at news."""
        now = self._clock()
        if self.retry_at is not None and now < self.retry_at:
            return min(self.retry_at, now + DEMAND_LOOK_S)
        if self._under_way and not self._owner.is_standing():
            return max(at for _, at in self._under_way.values()) + DIAL_HANGS_AFTER_S
        recheck_at = min((each.at for each in self._failed.values()), default=math.inf) + RECHECK_S
        return max(recheck_at, now + DEMAND_LOOK_S)

    def is_one_more_worth_it(self) -> bool:
        """With nothing standing one is tried at a time, and another when all that are hang."""
        now = self._clock()
        is_hanging = all(now - at >= DIAL_HANGS_AFTER_S for _, at in self._under_way.values())
        return is_hanging and len(self) < DIALS_IN_THE_DARK

    def start(self, tasks: anyio.abc.TaskGroup, endpoint: Endpoint) -> None:
        scope = anyio.CancelScope()
        self._under_way[scope] = endpoint, self._clock()
        tasks.start_soon(self._run, endpoint, scope)

    def abandon(self) -> None:
        """Give up those under way: the login or the server that they began with was replaced, and
        how they would end says nothing about the new one.
        """
        for scope in self._under_way:
            scope.cancel()

    async def _run(self, endpoint: Endpoint, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._try(endpoint)
        finally:
            self._under_way.pop(scope, None)
            self._owner.dial_ended()

    async def _try(self, endpoint: Endpoint) -> None:
        began_at = self._clock()
        try:
            with anyio.fail_after(DIAL_TIMEOUT_S):
                upgraded = await self._dial(endpoint)
        except TimeoutError:
            # A living idle tunnel is heard once a ping; a dial that was older than a second when
            # the path was last seen to live would have ended on it.
            others_answer = self._owner.is_heard_since(began_at + DIAL_HANGS_AFTER_S)
            self._fail(endpoint, self._unanswered(endpoint, DIAL_TIMEOUT_S, others_answer))
        except LlmgwError as error:
            self._fail(endpoint, error)
        else:
            self._failed.pop(endpoint, None)
            # The way to all of them is there; what a pod's own node does is another matter. Where
            # nothing stood before, what ailed all of them may be over: they are dialled at once.
            older_s = 0.0 if self._owner.is_standing() else RECHECK_S
            self._failed = {
                each: replace(failure, at=failure.at - older_s)
                for each, failure in self._failed.items()
                if failure.error.code in _PODS_OWN
            }
            self.retry_at = None
            self.succeeded_at = self._clock()
            self._owner.dial_succeeded(endpoint, upgraded)

    def _fail(self, endpoint: Endpoint, error: LlmgwError) -> None:
        self.attempts += 1
        self._failed_at = now = self._clock()
        before = self._failed.get(endpoint)
        self._failed[endpoint] = DialFailure(error, now if before is None else before.since, now)
        wait_s = self._wait_s(error)
        self.retry_at = self._failed_at + wait_s
        self._owner.dial_failed(error, wait_s)

    def _wait_s(self, error: LlmgwError) -> float:
        most_s = STANDING_RETRY_S if self._owner.is_standing() else math.inf
        return self._retry_wait(error, self.attempts, most_s)
