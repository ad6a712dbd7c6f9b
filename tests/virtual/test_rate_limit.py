"""At most N in the window, and not one more."""

from __future__ import annotations

from llmgwd.system.rate_limit import RateLimit


def test_at_most_three_are_allowed_in_any_thirty_seconds() -> None:
    times = [0.0, 10.0, 20.0, 29.9, 30.0, 39.9, 40.0]
    limit = RateLimit(3, 30.0, iter(times).__next__)

    assert [at for at in times if limit.allows()] == [0.0, 10.0, 20.0, 30.0, 40.0]
