"""Which known name a person probably meant."""

from __future__ import annotations

import pytest

from llmgwctl.rules.nearest import by_likeness, nearest


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Claude-Sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("claude-sonnet", "anthropic/claude-sonnet-4-5"),
        ("gpt4o", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
    ],
)
def test_the_model_that_was_meant_is_offered_first(name: str, first: str) -> None:
    known = ["gpt-4o", "gpt-4o-mini", "anthropic/claude-sonnet-4-5", "claude-haiku-4-5"]

    assert nearest(name, known)[0] == first


def test_what_is_like_nothing_known_offers_nothing() -> None:
    assert nearest("zzz", ["gpt-4o", "claude"]) == []


def test_all_that_is_known_is_listed_with_the_most_like_first() -> None:
    names = ["grafana", "litellm-gateway", "postgres", "litelm"]

    listed = by_likeness("litellm", names)

    assert listed[:2] == ["litellm-gateway", "litelm"]
    assert sorted(listed) == sorted(names)
