"""Times in a status, when someone sets the clock."""

from __future__ import annotations

import time

import pytest

from llmgwd.system.process import suspend
from llmgwd.telemetry import wall_time

NOW_S = 1_800_000_000.0


class Clocks:
    """The wall's clock, which can be set, and the one that only runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_s, self.running_s = NOW_S, 5000.0
        monkeypatch.setattr(time, "time", lambda: self.wall_s)
        monkeypatch.setattr(wall_time, "clock_s", lambda: self.running_s)

    def run(self, seconds: float, set_by_s: float = 0.0) -> None:
        self.wall_s += seconds + set_by_s
        self.running_s += seconds


@pytest.mark.parametrize(
    ("set_by_s", "shown"),
    [
        (0.0, "2027-01-15T08:00:00.000Z"),
        # What keeps a clock right does not make a status tremble.
        (0.4, "2027-01-15T08:00:00.000Z"),
        (3 * 3600.0, "2027-01-15T11:00:00.000Z"),
        (-3 * 3600.0, "2027-01-15T05:00:00.000Z"),
    ],
)
def test_since_when_something_is_so_moves_with_the_clock_that_is_set(
    set_by_s: float, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(monkeypatch)
    status = {"since": wall_time.now(), "routes": [{"since": wall_time.now()}], "held": 0}

    clocks.run(60, set_by_s)

    seen = wall_time.corrected(status)
    assert seen == {"since": shown, "routes": [{"since": shown}], "held": 0}
    assert type(seen["since"]) is str


def test_each_time_is_moved_by_what_was_set_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    before = wall_time.now()
    clocks.run(60, 3600)
    after = wall_time.now()
    clocks.run(60)

    assert wall_time.corrected([before, after]) == [
        "2027-01-15T09:00:00.000Z",
        "2027-01-15T09:01:00.000Z",
    ]


def test_the_clock_that_only_runs_is_the_one_by_which_sleep_is_noticed() -> None:
    assert wall_time.clock_s is suspend.clock_s
