"""What is written to a tunnel leaves in order, and large payloads leave without a copy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from llmgwd.tunnel.framing import COPY_LIMIT_BYTES, RECORD_BYTES, RawFraming

SIZES = st.integers(0, 20) | st.integers(COPY_LIMIT_BYTES - 2, COPY_LIMIT_BYTES + 2 * RECORD_BYTES)


class Recorder(asyncio.Transport):
    """Keeps the pieces of each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes | bytearray | memoryview] = []

    def is_closing(self) -> bool:
        return False

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.pieces += list_of_data


def written(*writes: tuple[bytes, ...]) -> list[bytes | bytearray | memoryview]:
    async def write() -> list[bytes | bytearray | memoryview]:
        transport = Recorder()
        framing = RawFraming(transport)
        for chunks in writes:
            framing.write(*chunks)
        framing.flush()
        return transport.pieces

    return asyncio.run(write())


@given(st.lists(st.lists(SIZES, max_size=3), max_size=4))
def test_whatever_is_written_leaves_whole_and_in_order(sizes: list[list[int]]) -> None:
    writes = [tuple(bytes([at]) * size for size in each) for at, each in enumerate(sizes)]
    chunks = [chunk for each in writes for chunk in each]
    assert b"".join(written(*writes)) == b"".join(chunks)


def test_a_large_payload_is_copied_no_further_than_the_record_it_begins_in() -> None:
    payload = bytes(256 * 1024)
    first, rest = written((b"a head", payload))
    assert len(first) == RECORD_BYTES
    assert isinstance(rest, memoryview)
    assert rest.obj is payload
