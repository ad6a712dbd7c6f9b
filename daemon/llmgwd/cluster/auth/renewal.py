"""A credential that expires: held while it is good, renewed ahead, and never in a storm.

Where it comes from (a plugin, an OIDC provider) is a callable; when to call it is decided here:
one call at a time, none within 30 s of a failure unless a watched file changes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenacity import wait_fixed

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.system.backoff import RetryWait
from llmgwd.system.files.file_stamp import mark
from llmgwd.system.rate_limit import RateLimit

if TYPE_CHECKING:
    from llmgwd.cluster.auth.credentials import Credential

# A login that needs a person does not get better by being run more often.
RETRY_FAILED_S = 30.0
# One that waited for a person may have opened a window: not again every half a minute.
RETRY_UNATTENDED_S = 300.0
# Without a network every login fails, and the network may be back at any moment.
RETRY_OFFLINE_S = 5.0
# A cluster that accepts and refuses the same login by turns must not make a storm of renewals.
_MAX_FORCED, _FORCED_WITHIN_S = 3, 30.0
# Below what a dial may take: what is late is the login, and not the cluster.
PATIENCE_S = 3.0
# Enough for a plugin that takes its time; a short-lived credential is renewed in its last fifth.
_AHEAD_S, _AHEAD_SHARE = 60.0, 0.2
# Nor must a watched file that a program keeps writing to.
_MAX_NEWS, _NEWS_WITHIN_S = 5, 30.0


class Unattended(Blocked):
    """The login waited for a person, and no one was there."""


class UnderWay(Transient):
    """The login takes longer than its users should wait for without a message."""


_RETRY_WAIT = RetryWait(
    (Unattended, wait_fixed(RETRY_UNATTENDED_S)),
    (Transient, wait_fixed(RETRY_OFFLINE_S)),
    (LlmgwError, wait_fixed(RETRY_FAILED_S)),
)


@dataclass(frozen=True, slots=True)
class Renewed:
    """A credential and when it ends (seconds since the epoch), or None: when it is refused."""

    credential: Credential
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class _Held:
    credential: Credential
    renew_at: float
    expires_at: float
    was_over: bool = False  # when it was made, by this machine's clock


class RenewingLogin:
    """Hands out a credential and has it renewed."""

    def __init__(
        self,
        renew: Callable[[], Awaitable[Renewed]],
        *,
        files: Sequence[str],
        remedy: str,
        name: str = "the login",
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.files = tuple(files)
        self.remedy = remedy
        self._name = name
        self._renew = renew
        # Expiry is a time of day and goes on while the machine sleeps; patience is not.
        self._wall_clock, self._clock = wall_clock, clock
        self._held: _Held | None = None
        self._accepted: Credential | None = None
        self._failure: LlmgwError | None = None
        self._next_at = -RETRY_FAILED_S
        self._seen: object = None
        self._forced = RateLimit(_MAX_FORCED, _FORCED_WITHIN_S, clock)
        self._news = RateLimit(_MAX_NEWS, _NEWS_WITHIN_S, clock)
        # Not a child of the caller: a dial gives up after 10 s, a login may take 30.
        self._running: asyncio.Task[None] | None = None

    async def current(self) -> Credential:
        """Return the credential; wait for it only where there is none that is good.

        Raises:
            Blocked: the login needs a person.
            Transient: it failed for want of a network, or takes long (UnderWay).
        """
        held, now = self._held, self._wall_clock()
        if held is not None and now < held.expires_at:
            if now >= held.renew_at and self._clock() >= self._next_at:
                self._start()
            return held.credential
        if self._running is None and self._failure and self._clock() < self._next_at:
            raise self._failure
        # Not awaited itself: that it is cancelled, when the kubeconfig is read anew, is no
        # cancellation of those that wait, and would end their task group without an error.
        running = self._start()
        await asyncio.wait([running], timeout=PATIENCE_S)
        if not running.done():
            if self._failure is not None:
                # What is tried again has failed until it has not.
                raise self._failure
            words = f"{self._name} has not ended for {PATIENCE_S:.0f} s: it may wait for a person"
            raise UnderWay(ConditionKind.LOGIN_PLUGIN_FAILED, words, self.remedy)
        if self._failure is not None:
            raise self._failure
        if self._held is None:
            words = f"{self._name} was given up: the kubeconfig was read anew meanwhile"
            raise Transient(ConditionKind.LOGIN_PLUGIN_FAILED, words)
        return self._held.credential

    def accept(self, accepted: Credential) -> None:
        self._accepted = accepted

    def reject(self, refused: Credential) -> bool:
        """Forget a credential that was refused; the first refusal of one that had been good
        renews it at once.
        """
        if self.doubt(refused):
            return True
        held, self._held = self._held, None
        words = "the cluster does not accept the login that was just made (401)"
        if held is not None and held.was_over:
            words += ", which by this machine's clock had ended before it was made"
        self._fail(Blocked(ConditionKind.LOGIN_EXPIRED, words, self.remedy))
        return False

    def doubt(self, doubted: Credential) -> bool:
        """As `reject`, but one that had never been good stays."""
        if self._held is None or self._held.credential is not doubted:
            return True  # it was reported before; there is, or will be, another
        if self._accepted is not doubted or not self._forced.allows():
            return False
        self._held = self._accepted = None
        return True

    def forget(self) -> None:
        """A watched file changed. What a failing login itself wrote does not count."""
        is_idle = self._failure is not None and self._running is None
        if is_idle and self._look() != self._seen and self._news.allows():
            self._next_at = self._clock()

    async def close(self) -> None:
        running = self._running
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _start(self) -> asyncio.Task[None]:
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="renew the login")
        return self._running

    async def _run(self) -> None:
        try:
            renewed = await self._renew()
        except LlmgwError as error:
            self._fail(error)
        else:
            self._failure = None
            self._held = _hold(renewed, self._wall_clock())
        finally:
            self._seen = self._look()
            self._running = None

    def _look(self) -> object:
        return [mark(path) for path in self.files]

    def _fail(self, error: LlmgwError) -> None:
        self._failure, self._next_at = error, self._clock() + _RETRY_WAIT(error, 1)
        self._seen = self._look()


def _hold(renewed: Renewed, now: float) -> _Held:
    if renewed.expires_at is None:
        return _Held(renewed.credential, float("inf"), float("inf"))
    life = renewed.expires_at - now
    if life <= 0:
        # This clock and that of the login disagree. What counts is the cluster's: renewed for each
        # request, as its end by this clock would have it, a program would run ten times a second.
        return _Held(renewed.credential, float("inf"), float("inf"), was_over=True)
    ahead = min(_AHEAD_S, life * _AHEAD_SHARE)
    return _Held(renewed.credential, renewed.expires_at - ahead, renewed.expires_at)
