"""WebSocket frames and v4 channels: any cut gives the same bytes, and bad frames are refused."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.errors import ProtocolError
from llmgwd.protocol import channels, websocket
from llmgwd.protocol.websocket import Opcode, Piece


def served(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """One frame as a server sends it: not masked."""
    first = (0x80 if fin else 0) | opcode
    if len(payload) < 126:
        return bytes((first, len(payload))) + payload
    if len(payload) < 1 << 16:
        return bytes((first, 126)) + struct.pack(">H", len(payload)) + payload
    return bytes((first, 127)) + struct.pack(">Q", len(payload)) + payload


def unmasked(frame: bytes) -> tuple[int, bytes]:
    """Read one frame of ours as a server does, by RFC 6455, 5.3."""
    length, at = frame[1] & 0x7F, 2
    if length == 126:
        (length,), at = struct.unpack_from(">H", frame, 2), 4
    elif length == 127:
        (length,), at = struct.unpack_from(">Q", frame, 2), 10
    assert frame[1] & 0x80
    mask, payload = frame[at : at + 4], frame[at + 4 :]
    assert len(payload) == length
    return frame[0], bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


MESSAGES = st.lists(st.lists(st.binary(max_size=200), min_size=1, max_size=4), max_size=8)


@given(MESSAGES, st.lists(st.integers(0, 50), max_size=60))
def test_any_cut_of_the_bytes_gives_the_same_messages(
    messages: list[list[bytes]], sizes: list[int]
) -> None:
    raw = b"".join(
        served(Opcode.BINARY if i == 0 else Opcode.CONTINUATION, part, i == len(parts) - 1)
        for parts in messages
        for i, part in enumerate(parts)
    )
    decoder, received, current = websocket.Decoder(), list[bytes](), b""

    for size in [*sizes, len(raw)]:
        chunk, raw = raw[:size], raw[size:]
        for part in decoder.feed(chunk):
            assert isinstance(part, Piece)
            current = part.payload if part.is_first else current + part.payload
            if part.is_last:
                received.append(current)

    assert received == [b"".join(parts) for parts in messages]


@given(st.binary(max_size=200))
def test_noise_gives_parts_or_a_protocol_error_and_nothing_else(noise: bytes) -> None:
    decoder = websocket.Decoder()
    with contextlib.suppress(ProtocolError):
        decoder.feed(noise)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 300_000])
def test_our_frames_are_masked_whole_messages(size: int) -> None:
    payload = bytes(i % 251 for i in range(size))

    frame = websocket.frame(Opcode.BINARY, payload[: size // 2], payload[size // 2 :])

    assert unmasked(bytes(frame)) == (0x80 | Opcode.BINARY, payload)


def test_control_frames_may_stand_inside_a_message() -> None:
    raw = served(Opcode.BINARY, b"one", fin=False) + served(Opcode.PING, b"?")
    raw += served(Opcode.CONTINUATION, b"two") + served(Opcode.CLOSE, b"\x03\xe8bye")

    assert websocket.Decoder().feed(raw) == [
        Piece(b"one", True, False),
        websocket.Ping(b"?"),
        Piece(b"two", False, True),
        websocket.Close(1000, "bye"),
    ]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\xc2\x00", "reserved bits"),
        (b"\x82\x80", "masked WebSocket frame"),
        (b"\x09\x00", "control frame"),
        (b"\x89\x7e\x01\x00", "control frame of 256 bytes"),
        (b"\x80\x00", "where it cannot stand"),
        (b"\x02\x00\x82\x00", "where it cannot stand"),
        (b"\x8b\x00", "unknown kind 11"),
    ],
)
def test_bad_frames_are_refused_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        websocket.Decoder().feed(raw)


def test_channels_take_off_the_ports_however_they_are_cut() -> None:
    decoder = channels.Decoder(4000)
    pieces = [
        Piece(b"\x00", True, False),
        Piece(b"\xa0", False, False),
        Piece(b"\x0f", False, True),
        Piece(b"\x01\xa0\x0f", True, True),
        Piece(b"\x00he", True, False),
        Piece(b"llo", False, True),
        Piece(b"\x01oh", True, True),
    ]

    received = [decoder.feed(piece) for piece in pieces]

    assert [item for item in received if item is not None] == [
        (channels.DATA, b"he"),
        (channels.DATA, b"llo"),
        (channels.ERROR, b"oh"),
    ]


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (Piece(b"\x02x", True, True), "channel 2, 0 and 1 are allowed"),
        (Piece(b"\x00\x01\x00", True, True), "another port"),
    ],
)
def test_channels_refuse_what_was_not_asked_for(piece: Piece, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        channels.Decoder(4000).feed(piece)
