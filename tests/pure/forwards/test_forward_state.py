"""The state table of a forward, and the conditions that explain a state."""

from __future__ import annotations

import pytest

from llmgwctl.wire import ConditionKind, Severity, State
from llmgwd.forwards.conditions import Condition, Conditions, severity_of
from llmgwd.forwards.state import Happening, ImpossibleStep, found, step


@pytest.mark.parametrize(
    ("before", "happening", "after"),
    [
        (State.STARTING, Happening.SERVED, State.READY),
        (State.STARTING, Happening.LOST, State.RECONNECTING),
        (State.READY, Happening.IMPAIRED, State.DEGRADED),
        (State.DEGRADED, Happening.SERVED, State.READY),
        (State.READY, Happening.LOST, State.RECONNECTING),
        (State.RECONNECTING, Happening.BLOCKED, State.BLOCKED),
        (State.BLOCKED, Happening.SERVED, State.READY),
        (State.BLOCKED, Happening.LOST, State.RECONNECTING),
        (State.READY, Happening.STOPPED, State.STOPPED),
        (State.STOPPED, Happening.STARTED, State.STARTING),
    ],
)
def test_each_happening_leads_where_the_design_says(
    before: State, happening: Happening, after: State
) -> None:
    assert step(before, happening) is after


@pytest.mark.parametrize("happening", [each for each in Happening if each != Happening.STARTED])
def test_nothing_but_a_start_happens_to_a_stopped_forward(happening: Happening) -> None:
    with pytest.raises(ImpossibleStep):
        step(State.STOPPED, happening)


@pytest.mark.parametrize("state", [each for each in State if each is not State.STOPPED])
def test_a_running_forward_cannot_be_started(state: State) -> None:
    with pytest.raises(ImpossibleStep):
        step(state, Happening.STARTED)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("happening", list(Happening))
def test_no_step_leads_to_where_one_is_already(state: State, happening: Happening) -> None:
    try:
        after = step(state, happening)
    except ImpossibleStep:
        return
    assert after is not state
    assert found(after, happening) or happening is Happening.STARTED


def _condition(kind: ConditionKind, since: str = "t0", summary: str = "s") -> Condition:
    return Condition(kind, severity_of(kind, is_serving=False), since, summary)


def test_a_condition_keeps_its_since_when_its_words_change() -> None:
    first = Conditions().raising(_condition(ConditionKind.LOGIN_EXPIRED, "t1", "one"))

    renewed = first.raising(_condition(ConditionKind.LOGIN_EXPIRED, "t2", "two")).get(
        ConditionKind.LOGIN_EXPIRED
    )

    assert renewed == Condition(ConditionKind.LOGIN_EXPIRED, Severity.ERROR, "t1", "two")
    assert first.get(ConditionKind.LOGIN_EXPIRED) == Condition(
        ConditionKind.LOGIN_EXPIRED, Severity.ERROR, "t1", "one"
    )


def test_a_consequence_hides_behind_its_cause_until_the_cause_is_gone() -> None:
    conditions = Conditions()
    for kind in (
        ConditionKind.GATEWAY_SILENT,
        ConditionKind.TUNNEL_LOST,
        ConditionKind.ON_FALLBACK,
        ConditionKind.LOGIN_EXPIRED,
    ):
        conditions = conditions.raising(_condition(kind))

    assert conditions.hidden_by(ConditionKind.LOGIN_EXPIRED) is None
    assert conditions.hidden_by(ConditionKind.TUNNEL_LOST) is ConditionKind.LOGIN_EXPIRED
    assert conditions.hidden_by(ConditionKind.ON_FALLBACK) is ConditionKind.LOGIN_EXPIRED
    assert conditions.clearing(ConditionKind.LOGIN_EXPIRED).hidden_by(
        ConditionKind.GATEWAY_SILENT
    ) is (ConditionKind.TUNNEL_LOST)


def test_a_taken_port_and_a_lost_login_are_told_side_by_side() -> None:
    conditions = (
        Conditions()
        .raising(_condition(ConditionKind.LOGIN_EXPIRED))
        .raising(_condition(ConditionKind.PORT_TAKEN))
    )

    assert [conditions.hidden_by(each.kind) for each in conditions] == [None, None]


def test_the_worst_condition_is_the_gravest_that_hides_behind_no_other() -> None:
    conditions = Conditions().raising(_condition(ConditionKind.KEY_MISSING))
    assert conditions.worst() == _condition(ConditionKind.KEY_MISSING)

    conditions = conditions.raising(_condition(ConditionKind.DIAL_REFUSED))
    conditions = conditions.raising(_condition(ConditionKind.NO_PODS))

    assert conditions.worst() == _condition(ConditionKind.NO_PODS)
    assert Conditions().worst() is None


def test_what_keeps_from_serving_is_a_warning_while_something_serves() -> None:
    assert severity_of(ConditionKind.LOGIN_EXPIRED, is_serving=False) is Severity.ERROR
    assert severity_of(ConditionKind.LOGIN_EXPIRED, is_serving=True) is Severity.WARNING
    assert severity_of(ConditionKind.DRAINING, is_serving=True) is Severity.INFO
