"""A credential that expires: held while it is good, renewed ahead, and never in a storm.

Where it comes from (a plugin, an OIDC provider) is a callable; when to call it is decided here:
one call at a time, none within 30 s of a failure unless a watched file changes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmgwctl.wire import Condition
from llmgwd.errors import Blocked, LlmgwError, Transient

if TYPE_CHECKING:
    from llmgwd.cluster.credentials import Credential

# A login that needs a person is not made better by asking it more often.
RETRY_FAILED_S = 30.0
# One that waited for somebody may have opened a window for it: not again every half a minute.
RETRY_UNATTENDED_S = 300.0
# Without a network every login fails; it may be back at any moment.
RETRY_OFFLINE_S = 5.0
# A cluster that accepts and refuses the same login by turns must not make a storm of renewals.
_MAX_FORCED, _FORCED_WITHIN_S = 3, 30.0
# Enough for a plugin that takes its time; a short-lived credential is renewed in its last fifth.
_AHEAD_S, _AHEAD_SHARE = 60.0, 0.2
# A folder of cached logins holds a few files; more than this is no such folder.
_MAX_LOOKED_AT = 200


class Unattended(Blocked):
    """The login waited for somebody, and nobody was there."""


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


class RenewingLogin:
    """Hands out a credential and has it renewed."""

    def __init__(
        self,
        renew: Callable[[], Awaitable[Renewed]],
        *,
        files: Sequence[str],
        remedy: str,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.files = tuple(files)
        self.remedy = remedy
        self._renew = renew
        # Expiry is a time of day and goes on while the machine sleeps; patience is not.
        self._wall_clock, self._clock = wall_clock, clock
        self._held: _Held | None = None
        self._accepted: Credential | None = None
        self._failure: LlmgwError | None = None
        self._next_at = -RETRY_FAILED_S
        self._seen: object = None
        self._forced_at: deque[float] = deque(maxlen=_MAX_FORCED)
        # Not a child of the caller: a dial gives up after 10 s, a login may take 30.
        self._running: asyncio.Task[None] | None = None

    async def current(self) -> Credential:
        """Return the credential; wait for it only where there is none that is good.

        Raises:
            Blocked: the login needs a person. Transient: it failed for want of a network.
        """
        held, now = self._held, self._wall_clock()
        if held is not None and now < held.expires_at:
            if now >= held.renew_at and self._clock() >= self._next_at:
                self._start()
            return held.credential
        if self._running is None and self._failure and self._clock() < self._next_at:
            raise self._failure
        await asyncio.shield(self._start())
        if self._held is not None and self._failure is None:
            return self._held.credential
        assert self._failure is not None
        raise self._failure

    def accept(self, accepted: Credential) -> None:
        self._accepted = accepted

    def reject(self, refused: Credential) -> bool:
        """Forget a credential that was refused; the first refusal of one that had been good
        renews it at once.
        """
        if self._held is None or self._held.credential is not refused:
            return True  # somebody said so before; there is, or will be, another
        self._held = None
        if self._accepted is refused and self._may_force():
            self._accepted = None
            return True
        self._fail(
            Blocked(
                Condition.LOGIN_EXPIRED,
                "the cluster does not accept the login that was just made (401)",
                self.remedy,
            )
        )
        return False

    def forget(self) -> None:
        """A watched file changed. What a failing login itself wrote is not news."""
        is_idle = self._failure is not None and self._running is None
        if is_idle and _look_at(self.files) != self._seen:
            self._failure, self._next_at = None, self._clock()

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
            self._seen = _look_at(self.files)
            self._running = None

    def _may_force(self) -> bool:
        now, forced = self._clock(), self._forced_at
        if len(forced) == _MAX_FORCED and now - forced[0] < _FORCED_WITHIN_S:
            return False
        forced.append(now)
        return True

    def _fail(self, error: LlmgwError) -> None:
        self._failure, self._next_at = error, self._clock() + _patience_s(error)
        self._seen = _look_at(self.files)


def _patience_s(error: LlmgwError) -> float:
    if isinstance(error, Unattended):
        return RETRY_UNATTENDED_S
    return RETRY_OFFLINE_S if isinstance(error, Transient) else RETRY_FAILED_S


def _hold(renewed: Renewed, now: float) -> _Held:
    if renewed.expires_at is None:
        return _Held(renewed.credential, float("inf"), float("inf"))
    life = max(renewed.expires_at - now, 0.0)
    ahead = min(_AHEAD_S, life * _AHEAD_SHARE)
    return _Held(renewed.credential, renewed.expires_at - ahead, renewed.expires_at)


def _look_at(paths: Sequence[str]) -> object:
    """Something that differs when a file, or a file in a folder, does."""
    seen: list[tuple[str, int, int] | None] = []
    for path in paths:
        seen.append(_stamp(path))
        if os.path.isdir(path):
            inside = sorted(os.listdir(path))[:_MAX_LOOKED_AT]
            seen += [_stamp(os.path.join(path, name)) for name in inside]
    return seen


def _stamp(path: str) -> tuple[str, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return path, status.st_mtime_ns, status.st_size
