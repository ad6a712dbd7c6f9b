"""Times of the contract, of Kubernetes and of containers: written, read and compared."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from llmgwctl.rules.timestamps import order, seconds_of, stamp

MOMENT_S = datetime(2026, 11, 23, 10, 11, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T10:11:12Z",
        "2026-11-23T10:11:12.000Z",
        "2026-11-23T10:11:12.000000000Z",
        "2026-11-23T10:11:12+00:00",
        "2026-11-23T12:11:12.000000000+02:00",
        "2026-11-23T04:41:12-05:30",
    ],
)
def test_each_way_to_write_a_moment_is_read(text: str) -> None:
    assert seconds_of(text) == MOMENT_S


@pytest.mark.parametrize("text", [None, "", "soon", "2026-11-23", "2026-11-23T10:11:12+xx:yy"])
def test_what_is_no_time_gives_none(text: str | None) -> None:
    assert seconds_of(text) is None


def test_what_is_written_is_read_to_the_millisecond() -> None:
    dice = random.Random(7)
    for _ in range(1000):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.random() * 4e9)

        written = stamp(moment.timestamp())

        assert written == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert seconds_of(written) == pytest.approx(moment.timestamp(), abs=0.0011)


def test_times_compare_as_text_whatever_zeros_were_left_out() -> None:
    second = "2026-11-23T10:11:12"

    assert order(f"{second}Z") < order(f"{second}.05Z") < order(f"{second}.5Z")
    assert order(f"{second}.5Z") == order(f"{second}.500000000Z")
