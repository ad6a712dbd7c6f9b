"""The SPDY codec: any cut of the bytes gives the same frames, and bad bytes are refused."""

from __future__ import annotations

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.errors import ProtocolError
from llmgwd.protocol import spdy, spdy_headers

STREAM_IDS = st.integers(1, (1 << 31) - 1)
NAMES = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=20)
HEADERS = st.dictionaries(NAMES, st.text(max_size=50), max_size=6)
FRAMES = st.one_of(
    st.builds(spdy.SynStream, STREAM_IDS, HEADERS, st.booleans()),
    st.builds(spdy.SynReply, STREAM_IDS, HEADERS, st.booleans()),
    st.builds(spdy.Headers, STREAM_IDS, HEADERS, st.booleans()),
    st.builds(spdy.RstStream, STREAM_IDS, st.integers(0, 11)),
    st.builds(spdy.Ping, st.integers(0, (1 << 32) - 1)),
    st.builds(spdy.GoAway, STREAM_IDS, st.integers(0, 2)),
    st.builds(spdy.Data, STREAM_IDS, st.binary(max_size=300), st.booleans()),
)


def encoded(frames: list[spdy.Frame]) -> bytes:
    encoder = spdy.Encoder()
    return b"".join(encode_one(encoder, frame) for frame in frames)


def encode_one(encoder: spdy.Encoder, frame: spdy.Frame) -> bytes:
    match frame:
        case spdy.SynStream():
            return encoder.syn_stream(*frame)
        case spdy.SynReply():
            return encoder.syn_reply(*frame)
        case spdy.Headers():
            return encoder.headers(*frame)
        case spdy.RstStream():
            return encoder.rst_stream(*frame)
        case spdy.Ping():
            return encoder.ping(*frame)
        case spdy.GoAway():
            return encoder.goaway(*frame)
        case spdy.Data():
            return spdy.data_frame(*frame)
    raise AssertionError(frame)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    return [*chunks, data[at:]]


def joined(frames: list[spdy.Frame]) -> list[spdy.Frame]:
    """Put the pieces of data frames together again, where no FIN stands between them."""
    whole: list[spdy.Frame] = []
    for frame in frames:
        last = whole[-1] if whole else None
        if (
            isinstance(frame, spdy.Data)
            and isinstance(last, spdy.Data)
            and last.stream_id == frame.stream_id
            and not last.fin
        ):
            whole[-1] = spdy.Data(frame.stream_id, last.payload + frame.payload, frame.fin)
        else:
            whole.append(frame)
    return whole


@given(st.lists(FRAMES, max_size=12), st.lists(st.integers(0, 60), max_size=80))
def test_any_cut_of_the_bytes_gives_the_same_frames(
    frames: list[spdy.Frame], sizes: list[int]
) -> None:
    decoder = spdy.Decoder()

    received = [
        frame for chunk in cut(encoded(frames), sizes) for frame in decoder.feed(bytearray(chunk))
    ]

    assert joined(received) == joined(frames)


@given(st.binary(max_size=400))
def test_noise_gives_frames_or_a_protocol_error_and_nothing_else(noise: bytes) -> None:
    decoder = spdy.Decoder()
    with contextlib.suppress(ProtocolError):
        decoder.feed(noise)


def test_the_dictionary_is_the_one_of_the_draft() -> None:
    assert len(spdy_headers.DICTIONARY) == 1423
    assert zlib.adler32(spdy_headers.DICTIONARY) == 0xE3C6A7C2


def test_payloads_survive_the_reuse_of_the_buffer_they_came_in() -> None:
    buffer = bytearray(spdy.data_frame(1, b"first"))

    (frame,) = spdy.Decoder().feed(memoryview(buffer))
    buffer[:] = b"\0" * len(buffer)

    assert frame == spdy.Data(1, b"first", False)


def test_a_header_block_of_an_unknown_stream_still_moves_the_context() -> None:
    encoder, decoder = spdy.Encoder(), spdy.Decoder()
    first = encoder.syn_reply(99, {"unwanted": "yes"})
    second = encoder.syn_reply(101, {"unwanted": "yes", "wanted": "too"})

    decoder.feed(first)

    assert decoder.feed(second) == [spdy.SynReply(101, {"unwanted": "yes", "wanted": "too"}, False)]


def control(kind: int, body: bytes, version: int = 3) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, len(body)) + body


def bomb() -> bytes:
    deflate = zlib.compressobj(zdict=spdy_headers.DICTIONARY)
    block = deflate.compress(bytes(2 * spdy_headers.MAX_BLOCK_BYTES))
    return block + deflate.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (control(spdy.PING, b"\0\0\0\1", version=2), "version 2, 3 is allowed"),
        (struct.pack(">HHI", 0x8003, 1, (1 << 24) - 1), "16777215 bytes, 65536 are allowed"),
        (control(spdy.PING, b"\0"), "PING of 1 bytes, 4 are allowed"),
        (control(spdy.RST_STREAM, b"\0" * 4), "RST_STREAM of 4 bytes, 8 are allowed"),
        (control(spdy.GOAWAY, b"\0" * 4), "GOAWAY of 4 bytes, 8 are allowed"),
        (control(spdy.SETTINGS, b"\0\0\0\2"), "SETTINGS of 4 bytes that says it holds 2"),
        (control(spdy.SYN_REPLY, b"\0\0\0\1" + b"noise"), "does not inflate"),
        (control(spdy.SYN_STREAM, b"\0\0\0\1"), "of 4 bytes, 10 are needed"),
        (control(spdy.SYN_STREAM, bytes(10)), "stream with number 0"),
        (control(spdy.SYN_REPLY, b"\0\0\0\1" + bomb()), "header block above 65536 bytes"),
        (spdy.data_frame(0, b"x"), "data frame on stream 0"),
    ],
)
def test_bad_bytes_are_refused_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        spdy.Decoder().feed(raw)


def test_unknown_control_frames_are_skipped() -> None:
    raw = control(10, b"credential") + spdy.Encoder().ping(7)

    assert spdy.Decoder().feed(raw) == [spdy.Ping(7)]
