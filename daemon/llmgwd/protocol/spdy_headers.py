"""Header blocks of SPDY/3: names and values to compressed bytes and back, within limits.

Blocks are written as stored (not compressed) deflate blocks. The format allows it, every inflater
reads it, and it spares what a compressor costs: 256 KiB for each connection and 4 µs for each
block, twice a stream. A block has 60 bytes, so compression saved two hundred bytes a request at
most. Each block ends in an empty stored block, as a sync flush would end it: Go's inflater hands
nothing on before that.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Final

from llmgwd.errors import ProtocolError

if TYPE_CHECKING:
    from llmgwd.protocol.budget import Budget

# 1,423 bytes, adler32 0xe3c6a7c2, printed in the SPDY/3 draft, 2.6.10.1.
DICTIONARY: Final = (
    resources.files("llmgwd.protocol").joinpath("spdy3-header-dictionary.bin").read_bytes()
)
# A Kubernetes server replies with no header at all, and is asked with three.
MAX_BLOCK_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 256

# The zlib head that says "with this dictionary" (RFC 1950, 2.2); sent once a connection.
_ZLIB_HEAD: Final = b"\x78\xbb" + struct.pack(">I", zlib.adler32(DICTIONARY))
_SYNC: Final = b"\x00\x00\x00\xff\xff"
_MAX_STORED_BYTES: Final = 0xFFFF
_U32 = struct.Struct(">I")
_STORED_HEAD = struct.Struct("<BHH")


class Writer:
    """One direction of one connection: only its first block carries the zlib head."""

    def __init__(self) -> None:
        self._head = _ZLIB_HEAD

    def block(self, raw: bytes) -> bytes:
        """Wrap pairs, as `pairs` or `text` made them, for the wire."""
        head, self._head = self._head, b""
        size = len(raw)
        if size <= _MAX_STORED_BYTES:
            return b"".join((head, _STORED_HEAD.pack(0, size, size ^ 0xFFFF), raw, _SYNC))
        parts = [head]
        for at in range(0, size, _MAX_STORED_BYTES):
            piece = raw[at : at + _MAX_STORED_BYTES]
            parts += (_STORED_HEAD.pack(0, len(piece), len(piece) ^ 0xFFFF), piece)
        return b"".join((*parts, _SYNC))


def pairs(headers: Mapping[str, str]) -> bytes:
    """Return the uncompressed block of some headers."""
    parts = [_U32.pack(len(headers))]
    for name, value in headers.items():
        parts += (text(name.lower()), text(value))
    return b"".join(parts)


def text(value: str) -> bytes:
    raw = value.encode()
    return _U32.pack(len(raw)) + raw


class Reader:
    """One direction of one connection: its zlib context serves all blocks (2.6.10.1)."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._budget = budget

    def read(self, block: bytes) -> dict[str, str]:
        """Inflate and parse a block, even of a stream that no one waits for.

        Raises:
            ProtocolError: it does not inflate to whole pairs, or to more than the limits allow.
        """
        try:
            raw = self._inflate.decompress(block, MAX_BLOCK_BYTES)
        except zlib.error as error:
            raise ProtocolError(f"a header block that does not inflate: {error}") from error
        if self._inflate.unconsumed_tail:
            raise ProtocolError(f"a header block above {MAX_BLOCK_BYTES} bytes")
        if self._budget is not None:
            self._budget.spend(len(raw))
        return _parse(raw)


def _parse(raw: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    try:
        (count,) = _U32.unpack_from(raw)
        if count > MAX_HEADERS:
            raise ProtocolError(f"a header block of {count} headers, {MAX_HEADERS} are allowed")
        at = 4
        for _ in range(count):
            name, at = _parse_text(raw, at)
            headers[name.lower()], at = _parse_text(raw, at)
    except (struct.error, UnicodeDecodeError) as error:
        raise ProtocolError(f"a header block that is not whole pairs: {error}") from error
    if at != len(raw):
        raise ProtocolError(f"{len(raw) - at} bytes behind the last header")
    return headers


def _parse_text(raw: bytes, at: int) -> tuple[str, int]:
    (length,) = _U32.unpack_from(raw, at)
    at += 4
    if at + length > len(raw):
        raise ProtocolError(f"a header of {length} bytes where {len(raw) - at} are left")
    return raw[at : at + length].decode(), at + length
