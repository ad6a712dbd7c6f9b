"""What an end of the stream would mean at each byte of an answer, and what the client is given."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.gateway.dialect import Dialect
from llmgwd.net.http1_heads import BadMessage, Head
from llmgwd.relay.http.answer import MAX_INTERIM_ANSWERS, Answer

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def answer(
    method: bytes = b"POST", *, passes_interim: bool = True, may_upgrade: bool = False
) -> Answer:
    return Answer(
        method,
        Dialect.OPENAI,
        lambda head, _: head.raw(),
        passes_interim=passes_interim,
        may_upgrade=may_upgrade,
    )


def end_of(came: bytes) -> str:
    """What the end of the stream means after these bytes."""
    following = answer()
    following.feed(came)
    meanings = {
        "whole": following.is_whole or following.may_end,
        "complete": following.missing_end is not None,
        "error event": following.missing_of_event is not None,
    }
    found = [meaning for meaning, holds in meanings.items() if holds]
    assert len(found) <= 1
    return found[0] if found else "none" if following.head is None else "cut"


@pytest.mark.parametrize(
    ("came", "meaning"),
    [
        (b"", "none"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "none"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "none"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "cut"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "whole"),
        (b"HTTP/1.1 200 OK\r\n\r\nab", "whole"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "whole"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"a"), "cut"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "whole"),
        (EVENTS, "error event"),
        (EVENTS + chunk(b"data: 1\n\n"), "error event"),
        (EVENTS + chunk(b"data: 1\n") + chunk(b"\n"), "error event"),
        (EVENTS + chunk(b"data: 1\n\n")[:-1], "error event"),
        (EVENTS + chunk(b"data: 1\n\n")[:-3], "cut"),
        (EVENTS + chunk(b"data: 1\n"), "cut"),
        (EVENTS + chunk(b"data: 1\n\nda"), "cut"),
        (EVENTS + chunk(b"data: 1\n\n") + b"5", "cut"),
        (EVENTS + chunk(b"data: 1\n\n" + DONE), "complete"),
        (EVENTS + chunk(DONE[:-1]), "cut"),
        (EVENTS + chunk(DONE)[:-2], "complete"),
        (EVENTS + chunk(DONE) + b"0\r\n", "complete"),
        (EVENTS + chunk(b"data: 1\n\n") + b"0\r\n", "cut"),
        (EVENTS + chunk(DONE) + b"0\r\n\r\n", "whole"),
        (EVENTS.replace(b"event-stream", b"event-stream; charset=utf-8"), "error event"),
        (EVENTS.replace(b"text/", b"Content-Encoding: identity\r\nX: "), "cut"),
        (EVENTS.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer"), "cut"),
        (EVENTS.replace(b"Transfer", b"Content-Encoding: identity\r\nTransfer"), "error event"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\n",
            "cut",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + DONE, "whole"),
    ],
)
def test_an_end_means_what_the_framing_and_the_events_say(came: bytes, meaning: str) -> None:
    assert end_of(came) == meaning


@given(cuts=st.lists(st.integers(0, 400), max_size=10), tail=st.binary(max_size=20))
def test_bodies_pass_as_they_came_and_nothing_behind_their_end(
    cuts: list[int], tail: bytes
) -> None:
    whole = EVENTS + chunk(b"data: 1\n\n") + chunk(DONE) + b"0\r\nX: y\r\n\r\n"
    raw, following, passed = whole + tail, answer(), b""
    edges = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    for start, end in itertools.pairwise(edges):
        if not following.is_whole:
            passed += following.feed(raw[start:end])

    assert passed == whole
    assert following.is_whole


def test_interim_heads_pass_and_are_no_answer() -> None:
    following = answer()

    passed = following.feed(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 C\r\n\r\n")

    assert passed == b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
    assert (following.head, following.status, following.has_begun) == (None, None, True)
    assert following.feed(b"HTTP/1.1 204 X\r\n\r\n") == b"HTTP/1.1 204 X\r\n\r\n"
    assert following.is_whole


def test_a_client_of_http_1_0_is_spared_interim_heads() -> None:
    following = answer(passes_interim=False)

    passed = following.feed(b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    assert passed == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_interim_heads_without_end_are_no_answer() -> None:
    with pytest.raises(BadMessage):
        answer().feed(b"HTTP/1.1 102 Processing\r\n\r\n" * (MAX_INTERIM_ANSWERS + 1))


def test_the_answer_to_head_has_no_body() -> None:
    following = answer(b"HEAD")

    following.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")

    assert following.is_whole


def test_behind_an_upgrade_everything_passes_as_it_came() -> None:
    following = answer(b"GET", may_upgrade=True)

    passed = following.feed(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n\x81\x02hi")

    assert passed == b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"
    assert following.is_upgraded


def test_the_client_is_told_whether_the_end_is_the_connections() -> None:
    told: list[bool] = []

    def render(head: Head, is_until_close: bool) -> bytes:
        told.append(is_until_close)
        return b""

    for raw in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"):
        Answer(b"GET", Dialect.OPENAI, render, passes_interim=True, may_upgrade=False).feed(raw)

    assert told == [True, False]


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        EVENTS + b"5\r\nabcdeXX",
    ],
)
def test_an_answer_that_could_be_disputed_is_none(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        answer().feed(raw)
