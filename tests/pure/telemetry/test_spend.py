"""What passed through the daemon each day, and what of its cost is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmgwd.telemetry.spend import UNNAMED, Spend
from support.client.request_records import record


def test_calls_are_added_up_by_day_forward_and_model() -> None:
    spend = Spend()
    spend.add(record(1, model="gpt-4o", cost=0.25))
    spend.add(record(2, model="gpt-4o", cost=0.5))
    spend.add(record(3, model="gpt-4o", cost=None))
    spend.add(record(4, model="gpt-4o", cost=1.0, time="2026-02-28T23:59:59.999Z"))
    spend.add(record(5, model="gpt-4o", cost=1.0, forward="another"))

    found = [(row["day"], row["forward"], row["requests"], row["known"]) for row in spend.days()]

    assert found == [
        ("2026-02-28", "litellm", 1, 1),
        ("2026-03-01", "another", 1, 1),
        ("2026-03-01", "litellm", 3, 2),
    ]
    assert spend.days()[2]["cost"] == 0.75


@pytest.mark.parametrize("path", ["/v1/messages", "/chat/completions", "/v1/embeddings"])
def test_a_streamed_call_counts_though_the_gateway_names_nothing(path: str) -> None:
    spend = Spend()
    spend.add(record(path=path, model=None, cost=None))

    assert [(row["model"], row["requests"], row["known"]) for row in spend.days()] == [
        (UNNAMED, 1, 0)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "GET", "path": "/v1/models"},
        {"path": "/v1/messages/count_tokens"},
        {"path": "/v1/messages", "status": 429},
        {"path": "/v1/messages", "status": None, "outcome": "cut"},
    ],
)
def test_what_called_no_model_does_not_count(changes: dict[str, object]) -> None:
    spend = Spend()
    spend.add(record(**{"model": None, "cost": None, **changes}))

    assert spend.days() == []


def test_the_sums_are_kept_across_restarts(tmp_path: Path) -> None:
    before = Spend(tmp_path)
    before.add(record(cost=0.25))
    before.close()

    after = Spend(tmp_path)
    after.add(record(cost=0.25))

    assert [(row["requests"], row["cost"]) for row in after.days()] == [(2, 0.5)]
    assert "claude-cli" not in json.dumps(after.days())


ROW = {"day": "2026-03-01", "forward": "f", "model": "m", "requests": 2, "known": 1, "cost": 0.5}
BAD_ROWS = [
    {**ROW, "day": "zzz"},
    {**ROW, "cost": float("nan")},
    {**ROW, "cost": -1},
    {**ROW, "cost": True},
    {**ROW, "requests": 10**400},
    {**ROW, "known": 3},
    [],
]


def test_rows_that_are_none_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "spend.json").write_text(json.dumps([*BAD_ROWS, ROW]))

    assert Spend(tmp_path).days() == [ROW]


@pytest.mark.parametrize("text", ["", "{", "{}", "[" * 100_000, "\xff"])
def test_a_damaged_file_is_put_aside_and_counting_begins_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spend.json"
    path.write_text(text, encoding="latin-1")
    spend = Spend(tmp_path)
    spend.add(record(cost=0.25))
    spend.close()

    assert (tmp_path / "spend.json.damaged").read_text(encoding="latin-1") == text
    assert [row["cost"] for row in json.loads(path.read_text())] == [0.25]
