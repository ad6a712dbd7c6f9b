"""The table of a stream's end: what is concluded, in whatever order the peer's words come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.tunnel.spdy import stream_end
from llmgwd.tunnel.spdy.stream_end import Data, Error, Event, Verdict

EVENTS = st.lists(st.sampled_from(Event), max_size=8)
# What the error stream did by the time of the verdict.
ERRORS = st.sampled_from(Error)


def after(events: list[Event]) -> Data:
    data = Data.OPENING
    for event in events:
        data = stream_end.step(data, event)
    return data


@given(EVENTS, ERRORS)
def test_only_a_reset_as_the_first_word_proves_that_no_one_was_dialled(
    events: list[Event], error: Error
) -> None:
    verdict = stream_end.judge(after(events), error, is_grace_over=True)

    if verdict is Verdict.NEVER_ACCEPTED:
        assert events[0] is Event.RST


@given(EVENTS)
def test_a_stream_is_unaccepted_until_the_first_word(events: list[Event]) -> None:
    assert stream_end.is_unaccepted(after(events)) is (not events or events[0] is Event.RST)


@given(EVENTS, ERRORS)
def test_after_the_grace_every_end_has_a_verdict(events: list[Event], error: Error) -> None:
    data = after(events)

    verdict = stream_end.judge(data, error, is_grace_over=True)

    assert verdict is not Verdict.GRACE
    assert (verdict is Verdict.WAIT) <= stream_end.is_open(data)


@given(EVENTS, EVENTS)
def test_what_comes_after_the_end_turns_no_failure_into_a_success(
    events: list[Event], later: list[Event]
) -> None:
    ended = after(events)
    if not stream_end.is_open(ended):
        data = after([*events, *later])

        # A dial that failed ends the stream empty, and then resets it.
        assert data is ended or (ended, data) == (Data.ENDED_EMPTY, Data.RESET)


@given(EVENTS)
def test_words_on_the_error_stream_are_believed_however_the_data_stream_stands(
    events: list[Event],
) -> None:
    assert stream_end.judge(after(events), Error.TOLD) is Verdict.FAILED_IN_WORDS


@pytest.mark.parametrize(
    ("events", "error", "verdict"),
    [
        ([], Error.OVER, Verdict.WAIT),
        ([Event.REPLY], Error.SPEAKING, Verdict.WAIT),
        ([Event.REPLY, Event.BYTES], Error.OVER, Verdict.WAIT),
        ([Event.REPLY, Event.BYTES, Event.FIN], Error.SILENT, Verdict.ENDED),
        ([Event.REPLY, Event.BYTES, Event.FIN], Error.SPEAKING, Verdict.FAILED_IN_WORDS),
        ([Event.REPLY, Event.BYTES, Event.RST], Error.SILENT, Verdict.BROKEN),
        ([Event.REPLY, Event.FIN], Error.SILENT, Verdict.GRACE),
        ([Event.REPLY, Event.FIN], Error.OVER, Verdict.ENDED),
        ([Event.REPLY, Event.RST], Error.SILENT, Verdict.GRACE),
        ([Event.REPLY, Event.RST], Error.OVER, Verdict.BROKEN),
        ([Event.RST], Error.SILENT, Verdict.GRACE),
        ([Event.RST], Error.OVER, Verdict.NEVER_ACCEPTED),
        # A byte without a reply breaks the protocol; it is taken for acceptance.
        ([Event.BYTES, Event.RST], Error.OVER, Verdict.BROKEN),
        ([Event.FIN, Event.RST], Error.OVER, Verdict.BROKEN),
    ],
)
def test_the_verdict(events: list[Event], error: Error, verdict: Verdict) -> None:
    assert stream_end.judge(after(events), error) is verdict
