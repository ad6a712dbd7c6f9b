"""The door for what others wrote: whatever the bytes, only our own errors leave."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.system import foreign
from support.json_values import nested

VALUES = nested(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    st.text(max_size=8),
)


@given(st.binary())
def test_no_bytes_break_json(data: bytes) -> None:
    for each in (data, b'{"a": [' + data, b'"' + data + b'"'):
        with contextlib.suppress(foreign.Malformed):
            foreign.json(each)


@given(VALUES)
def test_what_is_within_the_limits_is_given_as_it_is(value: Any) -> None:
    written = msgspec.json.encode(value)

    with contextlib.suppress(foreign.Malformed):
        assert foreign.json(written) == value


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b"9" * 5000,
        b"9" * 400,
        b"1e999",
        b"NaN",
        b"[" + b"{}," * 200_000 + b"{}]",
        b"",
    ],
)
def test_what_is_beyond_the_limits_is_refused(data: bytes) -> None:
    with pytest.raises(foreign.Malformed):
        foreign.json(data)


def test_a_limit_of_bytes_holds() -> None:
    assert foreign.json(b"[1,2]", most_bytes=5) == [1, 2]
    with pytest.raises(foreign.Malformed):
        foreign.json(b"[1,2] ", most_bytes=5)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (rb'"\ud800"', "�"),
        (rb'"\udc00\ud800"', "��"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"\\ud800"', r"\ud800"),
        (b'"\xff"', "�"),
    ],
)
def test_every_text_can_be_written_again(data: bytes, value: str) -> None:
    found = foreign.json(data)

    assert found == value
    assert found.encode()


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(foreign.Malformed):
        foreign.plain(loop)


@given(st.text(alphabet=st.characters()))
def test_any_header_of_seconds_is_bounded(value: str) -> None:
    for each in (value, "9" * 5000, "٣"):
        seconds = foreign.seconds(each, 300.0)
        assert seconds is None or 0 <= seconds <= 300
