"""Where an answer of events stands, however the network cuts it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.relay.http.event_stream import EventStream

ANTHROPIC = (
    b'event: content_block_delta\ndata: {"delta":{"text":"event: message_stop"}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
ENDS = [
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    b"data: [DONE]\n\n",
    b"data:[DONE]\r\n\r\n",
    b'event: response.completed\ndata: {"type":"response.completed"}\n\n',
    b'event: response.failed\r\ndata: {"type":"response.failed"}\r\n\r\n',
    b'event: response.incomplete\ndata: {"type":"response.incomplete"}\n\n',
    b'event: error\ndata: {"type":"error"}\n\n',
]
NO_ENDS = [
    b'data: {"text":"data: [DONE]"}\n\n',
    b'data: {"text":"\\ndata: [DONE]\\n\\nevent: message_stop\\n"}\n\n',
    b'event: message_start\ndata: {"type":"message_start"}\n\n',
    b"event: message_stopped\ndata: {}\n\n",
    b"event: response.completed_in_part\ndata: {}\n\n",
    b'data: {"finishReason": "STOP"}\n\n',
    b": a comment\n\n",
]


def events(*pieces: bytes, is_gemini: bool = False) -> EventStream:
    stream = EventStream(is_gemini=is_gemini)
    for piece in pieces:
        stream.feed(piece)
    return stream


@pytest.mark.parametrize("before", [b"", b'data: {"a":1}\n\n', b": ping\r\n\r\n"])
@pytest.mark.parametrize("last", ENDS)
def test_the_last_event_of_each_api_is_known(last: bytes, before: bytes) -> None:
    for cut in range(len(last) + 1):
        stream = events(before, last[:cut], last[cut:])
        assert (stream.has_ended, stream.is_between_events) == (True, True), cut


@pytest.mark.parametrize("said", NO_ENDS)
def test_what_a_model_says_is_never_the_end(said: bytes) -> None:
    for cut in range(len(said) + 1):
        stream = events(said[:cut], said[cut:])
        assert (stream.has_ended, stream.is_between_events) == (False, True), cut


def test_gemini_says_why_it_stopped_and_has_no_other_end() -> None:
    last = b'data: {"candidates":[{"finishReason": "STOP"}]}\n\n'

    assert events(last, is_gemini=True).has_ended
    assert not events(b"data: [DONE]\n\n", is_gemini=True).has_ended


@pytest.mark.parametrize(
    ("came", "is_between"),
    [
        (b"", True),
        (b"data: x\n\n", True),
        (b"data: x\r\n\r\n", True),
        (b"data: x\r\r", True),
        (b"data: x\n", False),
        (b"data: x\r\n", False),
        (b"data: x\r\n\r", False),
        (b"data: x\n\nd", False),
        (b"data: x\n\nevent: message_stop\n", False),
    ],
)
def test_between_two_events_is_behind_an_empty_line(came: bytes, is_between: bool) -> None:
    assert events(came).is_between_events is is_between


@given(
    cuts=st.lists(st.integers(0, len(ANTHROPIC)), max_size=20), upto=st.integers(0, len(ANTHROPIC))
)
def test_cuts_change_nothing(cuts: list[int], upto: int) -> None:
    edges = sorted({0, upto, *(cut for cut in cuts if cut < upto)})
    cut = events(*(ANTHROPIC[start:end] for start, end in itertools.pairwise(edges)))
    whole = events(ANTHROPIC[:upto])

    assert cut.has_ended is whole.has_ended
    assert cut.is_between_events is whole.is_between_events
