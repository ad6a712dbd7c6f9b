"""From errors to conditions: what stands, since when, how bad, and behind what it hides."""

from __future__ import annotations

import pytest

from llmgwctl.rules.condition_kinds import RULES, causes
from llmgwctl.wire import ConditionKind, Severity
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.forwards.verdict.conditions import Condition, Conditions, sentence, severity_of
from llmgwd.forwards.verdict.facts import Facts

EXPIRED = Blocked(ConditionKind.LOGIN_EXPIRED, "the login expired", "log in")
LOST = Transient(ConditionKind.TUNNEL_LOST, "The tunnel broke.")
SILENT = Transient(ConditionKind.GATEWAY_SILENT, "No answer.")


def _standing(*kinds: ConditionKind) -> Conditions:
    return Conditions().renewed([LlmgwError(kind, "s") for kind in kinds], "t0", is_serving=False)


def _kinds(conditions: Conditions) -> list[ConditionKind]:
    return [each.kind for each in conditions]


@pytest.mark.parametrize("kind", list(ConditionKind))
def test_all_that_is_known_of_a_kind_stands_in_the_table(kind: ConditionKind) -> None:
    assert RULES[kind].title
    assert kind not in causes(kind)


def test_a_condition_keeps_its_since_when_its_words_change() -> None:
    first = Conditions().renewed([EXPIRED], "t1", is_serving=False)

    renewed = first.renewed(
        [Blocked(ConditionKind.LOGIN_EXPIRED, "it ended", "again")], "t2", is_serving=False
    )

    assert [*first] == [
        Condition(ConditionKind.LOGIN_EXPIRED, Severity.ERROR, "t1", "The login expired.", "log in")
    ]
    assert [*renewed] == [
        Condition(ConditionKind.LOGIN_EXPIRED, Severity.ERROR, "t1", "It ended.", "again")
    ]


def test_a_cured_fact_goes_and_the_others_stay_as_they_were() -> None:
    both = Conditions().renewed([EXPIRED, SILENT], "t", is_serving=True)

    one = both.renewed([SILENT], "u", is_serving=True)

    assert [(each.kind, each.since) for each in one] == [(ConditionKind.GATEWAY_SILENT, "t")]


def test_the_oldest_come_first_and_of_two_errors_of_one_kind_the_first_counts() -> None:
    old = Conditions().renewed([SILENT], "t", is_serving=True)

    new = old.renewed(
        [LOST, SILENT, Transient(ConditionKind.TUNNEL_LOST, "Another.")], "u", is_serving=True
    )

    assert _kinds(new) == [ConditionKind.GATEWAY_SILENT, ConditionKind.TUNNEL_LOST]
    assert [each.summary for each in new] == ["No answer.", "The tunnel broke."]


def test_a_consequence_hides_behind_its_cause_until_the_cause_is_gone() -> None:
    without = (ConditionKind.GATEWAY_SILENT, ConditionKind.TUNNEL_LOST, ConditionKind.ON_FALLBACK)
    conditions = _standing(*without, ConditionKind.LOGIN_EXPIRED)

    assert conditions.hidden_by(ConditionKind.LOGIN_EXPIRED) is None
    assert conditions.hidden_by(ConditionKind.TUNNEL_LOST) is ConditionKind.LOGIN_EXPIRED
    assert conditions.hidden_by(ConditionKind.ON_FALLBACK) is ConditionKind.LOGIN_EXPIRED
    assert _standing(*without).hidden_by(ConditionKind.GATEWAY_SILENT) is ConditionKind.TUNNEL_LOST


def test_a_fallback_hides_nothing_that_is_wrong_with_the_gateway() -> None:
    conditions = _standing(ConditionKind.ON_FALLBACK, ConditionKind.GATEWAY_SILENT)

    assert [conditions.hidden_by(each.kind) for each in conditions] == [None, None]


def test_a_taken_port_and_a_lost_login_are_reported_side_by_side() -> None:
    conditions = _standing(ConditionKind.LOGIN_EXPIRED, ConditionKind.PORT_TAKEN)

    assert [conditions.hidden_by(each.kind) for each in conditions] == [None, None]


def test_the_worst_condition_is_the_gravest_that_hides_behind_no_other() -> None:
    few = _standing(ConditionKind.CLIENTS_UNCHECKED)
    more = _standing(
        ConditionKind.CLIENTS_UNCHECKED, ConditionKind.DIAL_REFUSED, ConditionKind.NO_PODS
    )

    assert [each.kind for each in (few.worst(), more.worst()) if each is not None] == [
        ConditionKind.CLIENTS_UNCHECKED,
        ConditionKind.NO_PODS,
    ]
    assert Conditions().worst() is None


def test_what_keeps_from_serving_is_a_warning_while_something_serves() -> None:
    served = Conditions().renewed([EXPIRED], "t", is_serving=True)
    down = served.renewed([EXPIRED], "u", is_serving=False)

    assert [(each.severity, each.since) for each in served] == [(Severity.WARNING, "t")]
    assert [(each.severity, each.since) for each in down] == [(Severity.ERROR, "t")]
    assert severity_of(ConditionKind.CLIENTS_UNCHECKED, is_serving=True) is Severity.INFO


def test_health_says_nothing_while_there_is_no_route() -> None:
    facts = Facts(is_listening=True, route_problems=(LOST,), health_problem=SILENT)

    assert [*facts.problems()] == [LOST]


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


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (Facts(), []),
        (Facts(is_peer_unknown=True), ["use the port."]),
        (Facts(is_injection_refused=True), ["So the key is not put into requests."]),
    ],
)
def test_where_no_one_says_whose_a_connection_is_no_key_is_put_in(
    facts: Facts, said: list[str]
) -> None:
    found = [error.message for error in facts.problems()]

    assert [each.endswith(words) for each, words in zip(found, said, strict=True)] == [
        True for _ in said
    ]
