"""The order of the doctor: one check after another, and what a failure makes skip.

A check reports what it found; whether they are worth doing, how long they may take and what their
errors mean is decided here, the same for all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import anyio

from llmgwctl.wire import CheckState, CheckStatus
from llmgwd.errors import Blocked, LlmgwError

if TYPE_CHECKING:
    from types import TracebackType

# Above what an exec plugin, the slowest of all, is given by the cluster's own time-out.
CHECK_S: Final = 40.0

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
    """`needs` are the checks it rests on: when one of them fails, this one is skipped."""

    name: str
    perform: Callable[[CheckContext], Awaitable[Finding | Sequence[Finding]]]
    needs: tuple[str, ...] = ()


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


async def examine(
    checks: Sequence[Check[CheckContext]], context: CheckContext, forward: str | None = None
) -> AsyncIterator[CheckStatus]:
    """Perform the checks in order; a line each as soon as it is known."""
    broken: dict[str, str] = {}
    for check in checks:
        root = next((broken[name] for name in check.needs if name in broken), None)
        if root is not None:
            broken[check.name] = root
            yield _line(check.name, forward, Finding(CheckState.SKIPPED, ""), root)
            continue
        try:
            findings = await _perform(check, context)
        except Skip as skip:
            broken[check.name] = skip.by
            yield _line(check.name, forward, Finding(CheckState.SKIPPED, ""), skip.by)
            continue
        if any(finding.is_failure for finding in findings):
            broken[check.name] = check.name
        for finding in findings:
            yield _line(check.name, forward, finding)


async def _perform(check: Check[CheckContext], context: CheckContext) -> Sequence[Finding]:
    try:
        with anyio.fail_after(CHECK_S):
            found = await check.perform(context)
    except LlmgwError as error:
        return [from_error(error)]
    except TimeoutError:
        return [failure(f"no answer within {CHECK_S:.0f} s")]
    except Skip:
        raise
    except Exception as error:
        # A bug of ours in one check must not hide what the others find out.
        return [failure(f"the check itself broke: {type(error).__name__}: {error}")]
    return [found] if isinstance(found, Finding) else found


def _line(
    check: str, forward: str | None, finding: Finding, skipped_by: str | None = None
) -> CheckStatus:
    return CheckStatus(
        check=check,
        forward=forward,
        state=finding.state,
        found=finding.found,
        cause=finding.cause,
        remedy=finding.remedy,
        skipped_by=skipped_by,
        took_s=finding.took_s,
    )
