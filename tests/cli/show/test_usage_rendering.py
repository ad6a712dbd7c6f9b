"""llmgwctl usage, its pure part: pages of daily activity added up and drawn."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwctl.show import usage
from llmgwctl.show.charts import bar, count, dollars, gauge, sparkline
from support.client import golden

SINCE, UNTIL = date(2026, 11, 17), date(2026, 11, 23)

KEY_INFO = {
    "key": "24a6" * 16,
    "info": {
        "key_name": "sk-...good",
        "key_alias": "laptop",
        "spend": 6.2,
        "expires": None,
        "max_budget": 10.0,
        "budget_reset_at": "2026-12-03T08:46:39.499779+00:00",
        "litellm_budget_table": None,
    },
}


def metrics(spend: float, requests: int, prompt: int, completion: int, failed: int = 0) -> Any:
    return {
        "spend": spend,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cache_read_input_tokens": 0,
        "api_requests": requests,
        "successful_requests": requests - failed,
        "failed_requests": failed,
    }


def day(when: str, **models: Any) -> Any:
    """One entry of `results`; the day's own metrics are the sum of its models'."""
    names = metrics(0, 0, 0, 0)
    whole = {name: sum(each[name] for each in models.values()) for name in names}
    named = {name.replace("_", "-"): {"metrics": each} for name, each in models.items()}
    digests = {
        "aaaabbbbcccc": {"metrics": whole, "metadata": {"key_alias": "laptop"}},
        "ddddeeeeffff": {"metrics": whole, "metadata": {"key_alias": None}},
    }
    breakdown = {"models": named, "model_groups": {}, "api_keys": digests}
    return {"date": when, "metrics": whole, "breakdown": breakdown}


RESULTS = [
    day(
        "2026-11-23",
        claude_sonnet=metrics(1.25, 120, 1_204_000, 88_000, 2),
        claude_haiku=metrics(0.004, 300, 90_000, 4_000),
    ),
    day("2026-11-21", claude_sonnet=metrics(4.5, 410, 3_900_000, 240_000)),
    day("2026-11-18", gpt_mini=metrics(0.45, 12, 12_000, 900)),
]


@pytest.mark.parametrize("grouping", usage.GROUPINGS)
def test_usage_matches_its_golden_file(grouping: str) -> None:
    budget = usage.budget_of(KEY_INFO)

    text = usage.render(usage.add_up(RESULTS, grouping, SINCE, UNTIL, budget), grouping)

    assert text == (golden.FOLDER / f"usage-{grouping}.txt").read_text()
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_quiet_week_says_so() -> None:
    text = usage.render(usage.add_up([], "model", SINCE, UNTIL), "model")

    assert text == (
        "2026-11-17 to 2026-11-23  ▁▁▁▁▁▁▁  $0.00, 0 requests, 0 tokens\nno calls in this time\n"
    )


def test_a_year_still_fits_the_terminal() -> None:
    found = usage.add_up(RESULTS, "model", date(2025, 11, 24), UNTIL)

    lines = usage.render(found, "model").splitlines()

    assert max(len(line) for line in lines) <= 80
    assert lines[1].startswith("▁▁")


def test_pages_are_added_up_and_their_own_totals_are_not_believed() -> None:
    halves = [day("2026-11-23", m=metrics(1.0, 1, 10, 1)), day("2026-11-23", m=metrics(2, 3, 5, 2))]

    found = usage.add_up(halves, "model", SINCE, UNTIL)

    assert found.total == usage.Tally(3.0, 15, 3, 0, 4, 0)
    assert found.groups == {"m": found.total}


def test_the_alias_asked_for_is_shown_where_the_gateway_keeps_it() -> None:
    entry = day("2026-11-23", provider_name=metrics(1.0, 1, 10, 1))
    entry["breakdown"]["model_groups"] = {"alias": {"metrics": metrics(1.0, 1, 10, 1)}}

    assert list(usage.add_up([entry], "model", SINCE, UNTIL).groups) == ["alias"]


@pytest.mark.parametrize(
    ("seconds", "first"),
    [(7 * 86400, "2026-11-17"), (86400, "2026-11-23"), (3600, "2026-11-23"), (90000, "2026-11-22")],
)
def test_seven_days_are_today_and_the_six_before(seconds: int, first: str) -> None:
    assert usage.first_day(UNTIL, seconds).isoformat() == first


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"max_budget": None}, "laptop  $6.20 spent, no budget set"),
        ({"blocked": True, "max_budget": None}, "laptop  $6.20 spent, no budget set, blocked"),
        (
            {"spend": 12.5, "budget_reset_at": None, "expires": "2026-12-01T00:00:00Z"},
            f"laptop  {'█' * 20} 125%  $12.50 of $10.00, expires 2026-12-01",
        ),
        (
            {"max_budget": None, "litellm_budget_table": {"max_budget": 12.4}},
            f"laptop  {'█' * 10}{'░' * 10} 50%  $6.20 of $12.40, reset 2026-12-03",
        ),
    ],
)
def test_the_budget_line_tells_what_the_key_has_left(change: dict[str, Any], line: str) -> None:
    info = {**KEY_INFO, "info": {**KEY_INFO["info"], **change}}  # type: ignore[dict-item]

    text = usage.render(usage.add_up([], "model", SINCE, UNTIL, usage.budget_of(info)), "model")

    assert text.splitlines()[0] == line


def test_missing_and_null_numbers_count_as_nothing() -> None:
    entry = {"date": "2026-11-23", "metrics": {"spend": None}, "breakdown": {"models": {"m": {}}}}

    assert usage.add_up([entry], "model", SINCE, UNTIL).total == usage.Tally()


def test_json_keeps_full_numbers() -> None:
    found = usage.add_up(RESULTS, "model", SINCE, UNTIL, usage.budget_of(KEY_INFO))

    record = usage.as_json(found, "model")

    assert record["groups"][0] == {
        "name": "claude-sonnet",
        "spend": 5.75,
        "prompt_tokens": 5_104_000,
        "completion_tokens": 328_000,
        "cache_read_tokens": 0,
        "requests": 530,
        "failed": 2,
    }
    assert record["budget"]["limit"] == 10.0


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (9949, "9.9k"),
        (9950, "10k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (4_600_000, "4.6M"),
        (2.5e9, "2.5G"),
    ],
)
def test_counts_keep_to_four_characters(number: float, text: str) -> None:
    assert count(number) == text


@given(st.integers(0, 10**12 - 10**9))
def test_a_count_never_outgrows_its_column(number: int) -> None:
    assert len(count(number)) <= 4


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.004, "$0.0040"), (0.00001, "<$0.0001"), (1234.5, "$1,234.50")],
)
def test_a_small_amount_does_not_look_free(amount: float, text: str) -> None:
    assert dollars(amount) == text


def test_a_sparkline_keeps_its_lowest_level_for_nothing() -> None:
    assert sparkline([0, 0.01, 50, 100, None]) == "▁▂▅█ "


def test_the_smallest_share_shows() -> None:
    assert bar(0.0001, 4) == "▏   "
    assert gauge(0.0001, 4) == "█░░░"
    assert bar(0, 4) == "    "


@given(st.floats(0, 10), st.integers(1, 40))
def test_bars_keep_their_width(fraction: float, width: int) -> None:
    assert len(bar(fraction, width)) == width
    assert len(gauge(fraction, width)) == width
