"""From facts to conditions, and to what happened."""

from __future__ import annotations

import pytest

from llmgwctl.wire import ConditionKind, Severity, State
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.forwards.conditions import Conditions
from llmgwd.forwards.state import Happening
from llmgwd.forwards.verdict import Facts, conditions, happening, sentence

EXPIRED = Blocked(ConditionKind.LOGIN_EXPIRED, "the login expired", "log in")
LOST = Transient(ConditionKind.TUNNEL_LOST, "The tunnel broke.")
TAKEN = Blocked(ConditionKind.PORT_TAKEN, "127.0.0.1:4000 is taken by nginx (pid 7).")
SILENT = Transient(ConditionKind.GATEWAY_SILENT, "No answer.")
SERVING = Facts(is_listening=True, is_route_up=True)


def _facts(**changes: object) -> Facts:
    from dataclasses import replace

    return replace(SERVING, **changes)  # type: ignore[arg-type]


def _happened(facts: Facts, state: State) -> Happening | None:
    return happening(facts, conditions(facts, Conditions(), "now"), state)


@pytest.mark.parametrize(
    ("facts", "state", "happened"),
    [
        (_facts(), State.STARTING, Happening.SERVED),
        (_facts(), State.READY, None),
        # Not ready before the gateway has said its first word; but served meanwhile all the same.
        (_facts(is_answer_open=True), State.RECONNECTING, None),
        (_facts(is_answer_open=True), State.READY, None),
        (_facts(health_problem=SILENT), State.READY, Happening.IMPAIRED),
        (_facts(fallback="https://x"), State.READY, Happening.IMPAIRED),
        (_facts(is_on_last_resort=True), State.READY, Happening.IMPAIRED),
        (_facts(route_problems=(EXPIRED,)), State.READY, Happening.IMPAIRED),
        # Nothing has failed yet.
        (_facts(is_route_up=False), State.STARTING, None),
        (_facts(is_route_up=False), State.READY, Happening.LOST),
        (_facts(is_route_up=False, route_problems=(LOST,)), State.READY, Happening.LOST),
        (_facts(is_route_up=False, route_problems=(EXPIRED,)), State.READY, Happening.BLOCKED),
        # A consequence that retries by itself does not hide that a person must act.
        (
            _facts(is_route_up=False, route_problems=(LOST, EXPIRED)),
            State.RECONNECTING,
            Happening.BLOCKED,
        ),
        (_facts(is_listening=False, listener_problems=(TAKEN,)), State.READY, Happening.BLOCKED),
        (_facts(is_listening=False), State.STARTING, None),
        # One of two addresses is enough to serve.
        (_facts(listener_problems=(TAKEN,)), State.READY, Happening.IMPAIRED),
    ],
)
def test_what_happened(facts: Facts, state: State, happened: Happening | None) -> None:
    assert _happened(facts, state) is happened


def test_what_would_keep_from_serving_is_a_warning_while_something_serves() -> None:
    served = conditions(_facts(route_problems=(EXPIRED,)), Conditions(), "t")
    down = conditions(_facts(is_route_up=False, route_problems=(EXPIRED,)), served, "u")

    assert [(each.severity, each.since) for each in served] == [(Severity.WARNING, "t")]
    assert [(each.severity, each.since) for each in down] == [(Severity.ERROR, "t")]


def test_a_cured_fact_goes_and_the_others_stay_as_they_were() -> None:
    both = conditions(_facts(route_problems=(EXPIRED,), health_problem=SILENT), Conditions(), "t")

    one = conditions(_facts(health_problem=SILENT), both, "u")

    assert [(each.kind, each.since) for each in one] == [(ConditionKind.GATEWAY_SILENT, "t")]


def test_health_says_nothing_while_there_is_no_route() -> None:
    facts = _facts(is_route_up=False, route_problems=(LOST,), health_problem=SILENT)

    assert [each.kind for each in conditions(facts, Conditions(), "t")] == [
        ConditionKind.TUNNEL_LOST
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("the login expired", "The login expired."),
        ("The tunnel broke.", "The tunnel broke."),
        ("service/litellm has no pods", "service/litellm has no pods."),
        ("127.0.0.1:4000 is taken", "127.0.0.1:4000 is taken."),
        ("two\n lines", "Two lines."),
        ("", ""),
    ],
)
def test_a_message_becomes_a_sentence_and_names_stay_as_they_are(text: str, wanted: str) -> None:
    assert sentence(text) == wanted


def test_an_error_of_a_kind_without_a_class_is_told_as_well() -> None:
    bug = LlmgwError(ConditionKind.INTERNAL, "a mistake")

    assert _happened(_facts(is_route_up=False, route_problems=(bug,)), State.READY) is (
        Happening.LOST
    )
