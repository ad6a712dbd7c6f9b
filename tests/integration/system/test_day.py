"""A day passes, most of it without a client: nothing adds up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
HOURS = 24
# By then each kind of hour has come: no client, a client, a pod that goes, another kubeconfig.
SETTLED_HOURS = 6
# Twenty events and what the simulated cluster remembers of its own; a kilobyte lost at each of a
# day's 4,000 pings and probes would be four times as much.
MEMORY_KIB = 1024
# Both keep the last so many of some things. One for each ping or probe would be thousands.
OBJECTS = 1500
# An unused hour: pings every 25 s with their answers, the file watch every 10 s, probes, watches.
WAKEUPS_AN_HOUR = 2000


def test_in_a_day_no_task_timer_descriptor_or_memory_adds_up(tmp_path: Path) -> None:
    program = Path(__file__).with_name("compressed_day.py")
    paths = (str(TESTS), str(TESTS / "virtual"))
    printed = subprocess.check_output(
        [sys.executable, str(program), str(tmp_path), str(HOURS)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        text=True,
        timeout=600,
    )

    hours = [json.loads(line) for line in printed.splitlines()]
    assert [hour["state"] for hour in hours] == ["ready"] * HOURS
    early, late = hours[SETTLED_HOURS - 3 : SETTLED_HOURS], hours[-3:]
    for what, more in (("tasks", 0), ("timers", 1), ("descriptors", 0)):
        assert max(hour[what] for hour in late) <= max(hour[what] for hour in early) + more, what
    assert late[-1]["memory_kib"] - early[-1]["memory_kib"] < MEMORY_KIB
    assert late[-1]["objects"] - early[-1]["objects"] < OBJECTS
    assert late[-1]["wakeups"] - late[-2]["wakeups"] < WAKEUPS_AN_HOUR
