"""An answer to a question of the daemon's own is read whole, within its limits, or refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.gateway.answer import Answer, NotHttp, Reading
from llmgwd.gateway.probe import (
    readiness,
)
from support.http_answers import ALIVE, http


def answer(status: int, body: bytes | object, **headers: str) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    "raw",
    [
        http(200, ALIVE),
        b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'4\r\n"I\'m\r\n8;x=y\r\n alive!"\r\n0\r\n\r\n',
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + ALIVE,
        b"HTTP/1.0 200 OK\nServer: old\n\n" + ALIVE,
    ],
)
def test_an_answer_is_the_same_however_the_network_cuts_it(raw: bytes) -> None:
    for end in range(len(raw)):
        reading = Reading()
        for piece in (raw[:end], raw[end:]):
            if piece and reading.answer is None:
                reading.feed(piece)
        if reading.answer is None:
            reading.feed(b"")

        assert reading.answer is not None
        assert (reading.answer.status, reading.answer.body) == (200, ALIVE)


def test_an_empty_reason_phrase_is_an_answer() -> None:
    overloaded = read_whole(b"HTTP/1.1 529 \r\nContent-Length: 0\r\n\r\n", at_end=False)

    assert overloaded is not None
    assert overloaded.status == 529


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1500,
    ],
    ids=["a length of 5,000 digits", "1,500 interim answers"],
)
def test_what_can_be_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(NotHttp):
        read_whole(raw, at_end=False)


@pytest.mark.parametrize("body", [b"[" * 200_000, b"9" * 5000, b'{"db": ' + b"9" * 400 + b"}"])
def test_an_answer_beyond_the_limits_is_no_json(body: bytes) -> None:
    assert Answer(200, {}, body).json is None


def test_a_lone_surrogate_is_replaced() -> None:
    assert Answer(200, {}, rb'"a\ud800 \ud83d\ude00 \\ud800"').json == "a\ufffd 😀 \\ud800"


@given(st.binary(), st.booleans())
def test_no_bytes_break_the_parser(raw: bytes, at_end: bool) -> None:
    for given_bytes in (raw, b"HTTP/1.1 200 OK\r\n" + raw):
        with contextlib.suppress(NotHttp):
            answer = read_whole(given_bytes, at_end=at_end)
            assert answer is None or readiness(answer).healthy is not None


def read_whole(raw: bytes, *, at_end: bool) -> Answer | None:
    reading = Reading()
    reading.feed(raw or b"H")
    if at_end and reading.answer is None:
        reading.feed(b"")
    return reading.answer
