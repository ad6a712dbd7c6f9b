"""The state of a forward, derived from what is known of it: pure.

Nothing steps from one state to the next. What was matters only where nothing is known yet: then
the forward stays what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.wire import SERVING_STATES, ConditionKind, Severity, State
from llmgwd.errors import Blocked

if TYPE_CHECKING:
    from llmgwd.forwards.verdict.conditions import Conditions
    from llmgwd.forwards.verdict.facts import Facts


def derive(facts: Facts, conditions: Conditions, was: State) -> State:
    """Give the state that follows from the facts and from the conditions that they led to."""
    if facts.is_stopped:
        return State.STOPPED
    if was is State.STOPPED:
        was = State.STARTING
    if not facts.is_listening:
        return State.BLOCKED if facts.is_port_blocked else was
    if not facts.is_route_up:
        return _without_route(facts, conditions, was)
    if facts.is_answer_open and was not in SERVING_STATES:
        # What only a person could cure is cured: a route is up.
        return State.RECONNECTING if was is State.BLOCKED else was
    # What is exposed is a warning to its owner; it serves no worse for that.
    is_impaired = any(
        each.severity is not Severity.INFO and each.kind is not ConditionKind.EXPOSED
        for each in conditions
    )
    return State.DEGRADED if is_impaired else State.READY


def _without_route(facts: Facts, conditions: Conditions, was: State) -> State:
    """Blocked where a cause that hides behind no other is one that only a person can cure.

    Several errors usually stand at once, of which one is the cause: an API server that cannot be
    reached also leaves the last dial refused and the last view without a ready pod. Counting any
    error for a person's would call a network outage "blocked", and its clients would be told not
    to try again. Counting only the first would miss an expired login next to a tunnel that broke
    because of it: which of the two was noted first is chance. So each error is judged by whether
    another one that stands explains it (`follows` in llmgwctl/rules/condition_kinds.py).
    """
    if not facts.route_problems:
        # At the very beginning nothing has failed yet; later the route was replaced on request.
        return was if was is State.STARTING else State.RECONNECTING
    causes = [
        error
        for error in facts.route_problems
        if conditions.hidden_by(ConditionKind(error.code)) is None
    ]
    is_blocked = any(isinstance(error, Blocked) for error in causes)
    return State.BLOCKED if is_blocked else State.RECONNECTING
