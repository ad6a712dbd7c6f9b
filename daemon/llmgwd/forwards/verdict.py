"""From what is known of a forward to its conditions and to what happened to it: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from llmgwctl.wire import SERVING_STATES, ConditionKind, Severity, State
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.forwards.conditions import Condition, Conditions, severity_of
from llmgwd.forwards.state import Happening, found


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one forward at one moment. `fallback` is the name of the route that is used instead."""

    is_listening: bool
    is_route_up: bool
    listener_problems: tuple[LlmgwError, ...] = ()
    route_problems: tuple[LlmgwError, ...] = ()  # the preferred route's first
    health_problem: LlmgwError | None = None
    notices: tuple[LlmgwError, ...] = ()
    is_answer_open: bool = False  # the first question through the route is not answered yet
    fallback: str | None = None
    is_on_last_resort: bool = False

    @property
    def is_serving(self) -> bool:
        return self.is_listening and self.is_route_up


def conditions(facts: Facts, before: Conditions, now: str) -> Conditions:
    """Give the conditions that stand; each that stood before keeps its `since`."""
    after = before
    wanted = {ConditionKind(error.code): error for error in reversed(tuple(_errors(facts)))}
    for kind in [each.kind for each in before if each.kind not in wanted]:
        after = after.clearing(kind)
    for kind, error in wanted.items():
        severity = severity_of(kind, is_serving=facts.is_serving)
        summary = sentence(error.message)
        after = after.raising(Condition(kind, severity, now, summary, error.remedy))
    return after


def happening(facts: Facts, standing: Conditions, state: State) -> Happening | None:
    """Say what happened, or None while the state says it already or nothing is known yet."""
    what = _found(facts, standing, state)
    return None if what is None or found(state, what) else what


def _found(facts: Facts, standing: Conditions, state: State) -> Happening | None:
    if not facts.is_listening:
        is_blocked = any(isinstance(error, Blocked) for error in facts.listener_problems)
        return Happening.BLOCKED if is_blocked else None
    if not facts.is_route_up:
        return _without_route(facts, standing, state)
    if facts.is_answer_open and state not in SERVING_STATES:
        return None
    is_impaired = any(each.severity is not Severity.INFO for each in standing)
    return Happening.IMPAIRED if is_impaired else Happening.SERVED


def _without_route(facts: Facts, standing: Conditions, state: State) -> Happening | None:
    """Blocked when the cause that hides the others is one that only a person can cure."""
    if not facts.route_problems:
        # Nothing has failed yet at the very beginning; later it was replaced on request.
        return None if state is State.STARTING else Happening.LOST
    causes = [
        error
        for error in facts.route_problems
        if standing.hidden_by(ConditionKind(error.code)) is None
    ]
    is_blocked = any(isinstance(error, Blocked) for error in causes)
    return Happening.BLOCKED if is_blocked else Happening.LOST


def _errors(facts: Facts) -> Iterable[LlmgwError]:
    yield from facts.listener_problems
    yield from facts.route_problems
    yield from facts.notices
    if facts.is_route_up and facts.fallback is not None:
        yield LlmgwError(
            ConditionKind.ON_FALLBACK, f"Connections go over {facts.fallback} meanwhile"
        )
    if facts.is_on_last_resort:
        yield LlmgwError(
            ConditionKind.UNREADY_POD_USED, "No pod is ready; one that runs all the same is used"
        )
    if facts.is_route_up and facts.health_problem is not None:
        yield facts.health_problem


def sentence(text: str) -> str:
    """Give a message its capital and its full stop; many are worded to follow a colon."""
    text = " ".join(text.split())
    if not text:
        return text
    # A name at the beginning stays as it is written.
    first = text.partition(" ")[0]
    if first.isalpha() and first.islower():
        text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…”" else f"{text}."
