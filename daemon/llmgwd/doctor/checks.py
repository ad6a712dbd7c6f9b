"""The order of the doctor: which check rests on which, and what a failure makes skip.

A check reports what it found; whether they are worth doing, how long they may take and what their
errors mean is decided here, the same for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import anyio
import structlog

from llmgwctl.wire import CheckState, CheckStatus
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.net.dial import NETWORK_REMEDY
from llmgwd.telemetry.redaction import redact

if TYPE_CHECKING:
    from types import TracebackType

# Milliseconds are usual, a distant cluster takes one second.
CHECK_S: Final = 5.0
# A person waits for the whole: what has not answered by then counts as silent.
EXAMINATION_S: Final = 13.0
IN_LOG: Final = "llmgwctl service logs"

_log: Final = structlog.get_logger()

CheckContext = TypeVar("CheckContext")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check. `took_s` where the time itself is worth reporting."""

    state: CheckState
    found: str
    cause: str = ""
    remedy: str = ""
    took_s: float | None = None

    @property
    def is_failure(self) -> bool:
        return self.state in (CheckState.FAILED, CheckState.NEEDS_PERSON)


@dataclass(frozen=True, slots=True)
class Check(Generic[CheckContext]):
    """One check, and how it stands to those before it.

    `needs` are those it rests on: when one of them fails, this one is skipped. `after` are those
    whose findings it uses, failed or not. `yields_to` are those that it does without while all is
    well; when it fails and one of them did as well, it is skipped: its failure is only a
    consequence. `if_silent` is the cause where no answer comes within `within_s`; `is_unhurried`
    where the whole may take longer for its sake.
    """

    name: str
    perform: Callable[[CheckContext], Awaitable[Finding | Sequence[Finding]]]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()
    within_s: float = CHECK_S
    if_silent: str = ""
    is_unhurried: bool = False


class Skip(Exception):
    """Raised by a check that cannot find out anything, because of what `by` has found."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


@dataclass(slots=True)
class Clock:
    """Measures a stretch of a check."""

    took_s: float = field(default=0.0, init=False)
    _started: float = field(default=0.0, init=False)

    @property
    def so_far_s(self) -> float:
        return anyio.current_time() - self._started

    def __enter__(self) -> Clock:
        self._started = anyio.current_time()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.took_s = anyio.current_time() - self._started


def ok(found: str, took_s: float | None = None) -> Finding:
    return Finding(CheckState.OK, found, took_s=took_s)


def info(found: str) -> Finding:
    return Finding(CheckState.INFO, found)


def warning(found: str, cause: str = "", remedy: str = "") -> Finding:
    return Finding(CheckState.WARNING, found, cause, remedy)


def failure(found: str, cause: str = "", remedy: str = "") -> Finding:
    return Finding(CheckState.FAILED, found, cause, remedy)


def from_error(error: LlmgwError, found: str = "") -> Finding:
    """Turn an error into a line; what only a person can cure is marked so."""
    state = CheckState.NEEDS_PERSON if isinstance(error, Blocked) else CheckState.FAILED
    if found:
        return Finding(state, found, error.message, error.remedy)
    return Finding(state, error.message, "", error.remedy)


class Examination(Generic[CheckContext]):
    """The checks of one forward, under way from now on: those that do not rest on each other at
    once. To be closed, however it ends.

    Tasks and no task group: a caller may close a generator of lines at any of them, and a group's
    scope could not be left in the order in which it was entered.
    """

    def __init__(
        self, checks: Sequence[Check[CheckContext]], context: CheckContext, forward: str | None
    ) -> None:
        self._context = context
        self._forward = forward
        self._until = anyio.current_time() + EXAMINATION_S
        self._ended = {check.name: asyncio.Event() for check in checks}
        self._broken: dict[str, str] = {}  # by which check, itself or one that it rests on
        self._tasks = [asyncio.create_task(self._perform_in_turn(check)) for check in checks]

    async def lines(self) -> AsyncIterator[CheckStatus]:
        """Give them in the order of the checks, each as soon as it is known."""
        for task in self._tasks:
            for line in await task:
                yield line

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _perform_in_turn(self, check: Check[CheckContext]) -> Sequence[CheckStatus]:
        try:
            return await self._lines_of(check)
        finally:
            self._ended[check.name].set()

    async def _lines_of(self, check: Check[CheckContext]) -> Sequence[CheckStatus]:
        await self._wait_for(check.after)
        root = await self._wait_for(check.needs)
        if root is not None:
            return [self._skipped(check, root)]
        try:
            findings = await self._perform(check)
        except Skip as skip:
            return [self._skipped(check, skip.by)]
        if any(finding.is_failure for finding in findings):
            root = await self._wait_for(check.yields_to)
            if root is not None:
                return [self._skipped(check, root)]
            self._broken[check.name] = check.name
        return [_line(check.name, self._forward, finding) for finding in findings]

    async def _wait_for(self, names: Sequence[str]) -> str | None:
        """Wait for checks; name the failure among them, or the one that made one be skipped."""
        for name in names:
            if name in self._ended:
                await self._ended[name].wait()
        return next((self._broken[name] for name in names if name in self._broken), None)

    def _skipped(self, check: Check[CheckContext], root: str) -> CheckStatus:
        self._broken[check.name] = root
        return _line(check.name, self._forward, Finding(CheckState.SKIPPED, ""), root)

    async def _perform(self, check: Check[CheckContext]) -> Sequence[Finding]:
        within_s = check.within_s
        if not check.is_unhurried:
            within_s = max(min(within_s, self._until - anyio.current_time()), 0.0)
        try:
            with anyio.fail_after(within_s):
                found = await check.perform(self._context)
        except LlmgwError as error:
            return [from_error(error)]
        except TimeoutError:
            words = f"no answer within {within_s:.0f} s"
            return [failure(words, check.if_silent, NETWORK_REMEDY if check.if_silent else "")]
        except Skip:
            raise
        except Exception as error:
            # A bug of ours in one check must not hide what the others find out.
            _log.error("check broke", check=check.name, forward=self._forward, exc_info=error)
            return [failure(f"the check itself broke: {type(error).__name__}", "", IN_LOG)]
        return [found] if isinstance(found, Finding) else found


def _line(
    check: str, forward: str | None, finding: Finding, skipped_by: str | None = None
) -> CheckStatus:
    return CheckStatus(
        check=check,
        forward=forward,
        state=finding.state,
        found=redact(finding.found),
        cause=redact(finding.cause),
        remedy=redact(finding.remedy),
        skipped_by=skipped_by,
        took_s=finding.took_s,
    )


def of_config(state: CheckState, found: str, remedy: str = "") -> CheckStatus:
    """Write the line of the configuration, which no forward's check looks at."""
    return _line("config", None, Finding(state, found, "", remedy))
