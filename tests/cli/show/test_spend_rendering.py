"""What the daemon saw of costs, added up and drawn."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from llmgwctl.show.spend import Seen, add_up, as_json, render
from support.client import golden

if TYPE_CHECKING:
    from llmgwctl.wire import DaySpend

SINCE, UNTIL = date(2026, 11, 20), date(2026, 11, 26)


def day(
    when: str, model: str, requests: int, known: int, cost: float, forward: str = "litellm"
) -> DaySpend:
    return {
        "day": when,
        "forward": forward,
        "model": model,
        "requests": requests,
        "known": known,
        "cost": cost,
    }


DAYS = [
    day("2026-11-21", "gpt-4o-mini", 40, 40, 0.0125),
    day("2026-11-24", "claude-sonnet-4-5", 120, 8, 0.91),
    day("2026-11-26", "claude-sonnet-4-5", 30, 2, 0.34),
    day("2026-11-26", "claude-haiku-4-5", 300, 0, 0.0),
    day("2026-11-26", "other", 7, 7, 7.0, forward="another"),
    day("2026-11-01", "claude-sonnet-4-5", 99, 99, 9.0),
]


def test_a_forwards_days_of_the_range_are_added_up() -> None:
    found = add_up(DAYS, "model", SINCE, UNTIL, "litellm")

    assert found.total == Seen(490, 50, 0.0125 + 0.91 + 0.34)
    assert list(found.groups) == ["claude-sonnet-4-5", "gpt-4o-mini", "claude-haiku-4-5"]
    assert len(found.days) == 7


def test_each_sum_says_how_much_of_it_is_known() -> None:
    for grouping in ("model", "day"):
        found = add_up(DAYS, grouping, SINCE, UNTIL, "litellm")

        golden.check(f"spend-{grouping}.txt", render(found, grouping))


def test_json_says_whose_record_it_is() -> None:
    found = as_json(add_up(DAYS, "model", SINCE, UNTIL, "another"), "model")

    assert found["source"] == "llmgwd"
    assert found["total"] == {"spend": 7.0, "known": 7, "requests": 7}
    assert found["groups"] == [{"name": "other", "spend": 7.0, "known": 7, "requests": 7}]
