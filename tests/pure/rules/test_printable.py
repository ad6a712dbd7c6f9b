"""Text that others wrote, as it reaches a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwctl.rules.numbers import number
from llmgwctl.rules.printable import clean, clean_lines


@given(st.text(alphabet=st.characters()))
def test_nothing_that_controls_a_terminal_passes(text: str) -> None:
    assert clean(text).isprintable()
    assert all(line.isprintable() for line in clean_lines(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b]0;x\x07b", r"a\x1b]0;x\x07b"),
        ("\x9b31m", r"\x9b31m"),
        ("a\x7fb", r"a\x7fb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\ud800b", r"a\ud800b"),
        ("two\nlines\tand more", "two lines and more"),
        ("ä 😀", "ä 😀"),
    ],
)
def test_what_is_left_can_be_read(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    "value", [None, True, [], {}, "x", float("nan"), float("inf"), 10**400, "9" * 5000]
)
def test_what_is_no_number_is_none(value: object) -> None:
    assert number(value) is None


def test_numbers_and_texts_of_them_are_numbers() -> None:
    assert (number(3), number("0.000003")) == (3.0, 0.000003)
