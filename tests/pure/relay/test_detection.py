"""The first bytes of a connection, and what they say it speaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.relay.detection import MAX_LINE_BYTES, Speech, speech_of


@pytest.mark.parametrize("expects_http", [True, False])
@pytest.mark.parametrize(
    ("sent", "speech"),
    [
        (b"", Speech.UNKNOWN),
        (b"\r\n", Speech.UNKNOWN),
        (b"G", Speech.UNKNOWN),
        (b"POST /v1/messages HTTP/1.", Speech.UNKNOWN),
        (b"GET / HTTP/1.1\r\n", Speech.HTTP),
        (b"\r\n\r\nGET / HTTP/1.0\r\nHost", Speech.HTTP),
        (b"GET / HTTP/1.1\nHost: x\n\n", Speech.HTTP),
        (b"CONNECT x:443 HTTP/1.1\r\n", Speech.HTTP),  # answered with 400, not carried
        (b"M-SEARCH * HTTP/1.1\r\n", Speech.HTTP),
        (b"GET /\r\n", Speech.OTHER),
        (b"GET / HTTP/2.0\r\n", Speech.OTHER),
        # A page may have its browser send any token as a method.
        (b"get / HTTP/1.1\r\n", Speech.HTTP),
        (b"a1!" * 40 + b" / HTTP/1.1\r\n", Speech.HTTP),
        (b"hello", Speech.UNKNOWN),
        (b"hello\r\n", Speech.OTHER),
        (b"EHLO localhost\r\n", Speech.OTHER),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Speech.OTHER),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Speech.OTHER),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Speech.OTHER),
        (b"*1\r\n$4\r\nPING\r\n", Speech.OTHER),
        # Some servers take a path of any length; ours is then to say that it is too long.
        (b"GET /" + b"a" * MAX_LINE_BYTES, Speech.HTTP),
        (b"x http://localhost/" + b"a" * MAX_LINE_BYTES, Speech.HTTP),
        (b"A" * MAX_LINE_BYTES, Speech.OTHER),
        (b"GET " + b"a" * MAX_LINE_BYTES, Speech.OTHER),
    ],
)
def test_a_request_line_of_http_1_makes_it_http(
    sent: bytes, speech: Speech, expects_http: bool
) -> None:
    assert speech_of(sent, expects_http=expects_http) is speech


@pytest.mark.parametrize(("expects_http", "speech"), [(True, Speech.HTTP), (False, Speech.OTHER)])
def test_http_2_is_answered_in_words_only_where_http_is_expected(
    expects_http: bool, speech: Speech
) -> None:
    sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    assert speech_of(sent, expects_http=expects_http) is speech


@given(
    rest=st.binary(max_size=40),
    start=st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n", b"GET ", b"\r\n"]),
)
def test_more_bytes_never_change_what_was_found(rest: bytes, start: bytes) -> None:
    sent = start + rest
    found = [speech_of(sent[:end], expects_http=True) for end in range(len(sent) + 1)]
    known = [speech for speech in found if speech is not Speech.UNKNOWN]

    assert len(set(known)) <= 1
    assert Speech.UNKNOWN not in found[len(found) - len(known) :]
