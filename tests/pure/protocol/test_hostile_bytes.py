"""Whatever bytes a peer sends, a decoder with a budget ends early, and with our own error."""

from __future__ import annotations

import contextlib
import struct
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.errors import ProtocolError
from llmgwd.protocol import channels, spdy, spdy_headers, websocket
from llmgwd.protocol.budget import BURST_UNITS, FRAMES_A_TURN, UNITS_A_SECOND, Budget

CHUNKS = st.lists(st.binary(max_size=300), max_size=8)
# Heads that are near to valid reach further into a decoder than noise does.
SPDY_HEADS = st.builds(
    lambda kind, flags, size, body: struct.pack(">HHI", 0x8003, kind, flags << 24 | size) + body,
    st.integers(0, 12),
    st.integers(0, 255),
    st.integers(0, 80),
    st.binary(max_size=80),
)
# Far above what a bounded amount of work takes, far below the minutes that were seen.
BOUNDED_S = 2.0


def control(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHI", 0x8003, kind, len(body)) + body


def syn_reply(raw: bytes) -> bytes:
    deflate = zlib.compressobj(zdict=spdy_headers.DICTIONARY)
    block = deflate.compress(raw) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return control(spdy.SYN_REPLY, struct.pack(">I", 1) + block)


def feed_all(decoder: spdy.Decoder | websocket.Decoder, raw: bytes) -> int:
    """Feed as the tunnel does, one turn after the other; return the most of one turn."""
    most = len(decoder.feed(raw))
    while decoder.is_behind:
        most = max(most, len(decoder.feed(b"")))
    return most


@given(st.lists(st.one_of(st.binary(max_size=300), SPDY_HEADS), max_size=8))
def test_spdy_gives_frames_or_a_protocol_error(chunks: list[bytes]) -> None:
    decoder = spdy.Decoder(Budget(0.0))
    with contextlib.suppress(ProtocolError):
        for chunk in chunks:
            feed_all(decoder, chunk)


@given(st.binary(max_size=2000))
def test_any_header_block_gives_headers_or_a_protocol_error(raw: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        spdy.Decoder(Budget(0.0)).feed(syn_reply(raw))


@given(CHUNKS)
def test_a_websocket_gives_parts_or_a_protocol_error(chunks: list[bytes]) -> None:
    decoder = websocket.Decoder(Budget(0.0))
    with contextlib.suppress(ProtocolError):
        for chunk in chunks:
            feed_all(decoder, chunk)


@given(st.lists(st.tuples(st.binary(max_size=20), st.booleans(), st.booleans()), max_size=20))
def test_channels_give_payloads_or_a_protocol_error(
    pieces: list[tuple[bytes, bool, bool]],
) -> None:
    decoder = channels.Decoder(4000)
    with contextlib.suppress(ProtocolError):
        for piece in pieces:
            decoder.feed(websocket.Piece(*piece))


def empty_headers(count: int) -> bytes:
    return struct.pack(">I", count) + bytes(8 * count)


FLOODS: dict[str, Callable[[], tuple[spdy.Decoder | websocket.Decoder, bytes]]] = {
    "pings": lambda: (spdy.Decoder(Budget(0.0)), spdy.Encoder().ping(2) * 60_000),
    "settings": lambda: (
        spdy.Decoder(Budget(0.0)),
        control(spdy.SETTINGS, struct.pack(">I", 8000) + bytes(64_000)) * 20,
    ),
    "empty data frames": lambda: (spdy.Decoder(Budget(0.0)), spdy.data_frame(1, b"") * 60_000),
    "frames of unknown kinds": lambda: (spdy.Decoder(Budget(0.0)), control(99, b"") * 60_000),
    "WebSocket pings": lambda: (websocket.Decoder(Budget(0.0)), b"\x89\x00" * 200_000),
    "empty WebSocket messages": lambda: (websocket.Decoder(Budget(0.0)), b"\x82\x00" * 200_000),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_without_payload_ends_in_a_protocol_error(flood: str) -> None:
    decoder, raw = FLOODS[flood]()
    began = time.process_time()

    with pytest.raises(ProtocolError, match="than anyone can need"):
        feed_all(decoder, raw)

    assert time.process_time() - began < BOUNDED_S


@pytest.mark.parametrize("count", [spdy_headers.MAX_HEADERS + 1, 131_071, 8_000])
def test_a_block_of_many_empty_headers_is_refused_unread(count: int) -> None:
    began = time.process_time()

    with pytest.raises(ProtocolError, match="header block"):
        spdy.Decoder(Budget(0.0)).feed(syn_reply(empty_headers(count)))

    assert time.process_time() - began < BOUNDED_S


def test_blocks_that_inflate_to_much_are_charged_for_it() -> None:
    """Each within the limits, and small on the wire: together they exceed the budget."""
    deflate = zlib.compressobj(zdict=spdy_headers.DICTIONARY)
    name = spdy_headers.text("n" * 60_000)
    frames = []
    for _ in range(BURST_UNITS):
        block = deflate.compress(struct.pack(">I", 1) + name + spdy_headers.text(""))
        block += deflate.flush(zlib.Z_SYNC_FLUSH)
        frames.append(control(spdy.SYN_REPLY, struct.pack(">I", 1) + block))
        if len(frames) == 10:
            break

    with pytest.raises(ProtocolError, match="than anyone can need"):
        spdy.Decoder(Budget(0.0)).feed(b"".join(frames))


@pytest.mark.parametrize(
    ("decoder", "raw"),
    [
        (spdy.Decoder(Budget(0.0)), spdy.data_frame(1, b"x") * (3 * FRAMES_A_TURN)),
        (websocket.Decoder(Budget(0.0)), b"\x82\x01x" * (3 * FRAMES_A_TURN)),
    ],
    ids=["spdy", "websocket"],
)
def test_tiny_frames_are_all_taken_but_a_bounded_number_in_a_turn(
    decoder: spdy.Decoder | websocket.Decoder, raw: bytes
) -> None:
    received = [part.payload for part in decoder.feed(raw)]  # type: ignore[union-attr]
    assert len(received) == FRAMES_A_TURN
    while decoder.is_behind:
        more = [part.payload for part in decoder.feed(b"")]  # type: ignore[union-attr]
        assert len(more) <= FRAMES_A_TURN
        received += more

    assert received == [b"x"] * (3 * FRAMES_A_TURN)


def test_a_budget_refills_with_time_up_to_its_burst() -> None:
    budget = Budget(0.0)
    for _ in range(BURST_UNITS):
        budget.spend(0)
    with pytest.raises(ProtocolError):
        budget.spend(0)

    budget.refill(1.0)
    for _ in range(int(UNITS_A_SECOND) - 1):
        budget.spend(0)
    with pytest.raises(ProtocolError):
        budget.spend(0)

    budget.refill(1000.0)
    for _ in range(BURST_UNITS):
        budget.spend(0)


def test_what_we_asked_for_is_paid_for() -> None:
    budget = Budget(0.0)
    budget.grant(1000)
    budget.refill(1.0)

    for _ in range(BURST_UNITS + 1000):
        budget.spend(0)
    with pytest.raises(ProtocolError):
        budget.spend(0)
