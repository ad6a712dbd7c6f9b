"""SPDY/3.1 as Kubernetes uses it: frames to bytes and bytes to frames.

Pure and incremental: a `Decoder` takes bytes as the network cut them, and what it cannot accept
is a `ProtocolError`. One `Decoder` and one `Encoder` serve one connection, because header blocks
share a zlib context in each direction (SPDY/3 draft, 2.6.10.1). There is no flow control here: the
peer neither sends nor obeys windows.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from llmgwd.errors import ProtocolError
from llmgwd.protocol import spdy_headers
from llmgwd.protocol.budget import FRAMES_A_TURN

if TYPE_CHECKING:
    from llmgwd.protocol.budget import Budget

SYN_STREAM: Final = 1
SYN_REPLY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PING: Final = 6
GOAWAY: Final = 7
HEADERS: Final = 8
WINDOW_UPDATE: Final = 9

FLAG_FIN: Final = 0x01

# RST_STREAM status codes (SPDY/3 draft, 2.6.3).
STATUS_PROTOCOL_ERROR: Final = 1
STATUS_REFUSED_STREAM: Final = 3
STATUS_CANCEL: Final = 5

HEAD_BYTES: Final = 8
# The length field has 24 bits.
MAX_DATA_BYTES: Final = (1 << 24) - 1
# Nothing that a Kubernetes peer sends in a control frame comes near this; a frame that says so is
# either not SPDY or an attempt to make us buffer.
MAX_CONTROL_BYTES: Final = 64 * 1024

_U32 = struct.Struct(">I")
_CONTROL_HEAD = struct.Struct(">HHI")
_TWO_U32 = struct.Struct(">II")
_SYN_STREAM_HEAD = struct.Struct(">IIH")
_STREAM_ID_MASK = 0x7FFF_FFFF


class SynStream(NamedTuple):
    stream_id: int
    headers: dict[str, str]
    fin: bool


class SynReply(NamedTuple):
    stream_id: int
    headers: dict[str, str]
    fin: bool


class RstStream(NamedTuple):
    stream_id: int
    status: int


class Settings(NamedTuple):
    values: dict[int, int]


class Ping(NamedTuple):
    ping_id: int


class GoAway(NamedTuple):
    last_stream_id: int
    status: int


class Headers(NamedTuple):
    stream_id: int
    headers: dict[str, str]
    fin: bool


class WindowUpdate(NamedTuple):
    stream_id: int
    delta: int


class Data(NamedTuple):
    """A piece of a data frame, as the network cut it; `fin` only on the frame's last piece."""

    stream_id: int
    payload: bytes
    fin: bool


Frame = SynStream | SynReply | RstStream | Settings | Ping | GoAway | Headers | WindowUpdate | Data


class Encoder:
    """Frames to bytes for one direction of one connection."""

    def __init__(self) -> None:
        self._blocks = spdy_headers.Writer()

    def syn_stream(self, stream_id: int, headers: Mapping[str, str], fin: bool = False) -> bytes:
        return self.syn_stream_of(stream_id, spdy_headers.pairs(headers), fin)

    def syn_stream_of(self, stream_id: int, pairs: bytes, fin: bool = False) -> bytes:
        """The same, for a caller who keeps what is equal in all its header blocks."""
        body = _SYN_STREAM_HEAD.pack(stream_id, 0, 0) + self._blocks.block(pairs)
        return _control(SYN_STREAM, body, fin)

    def syn_reply(
        self, stream_id: int, headers: Mapping[str, str] | None = None, fin: bool = False
    ) -> bytes:
        return _control(SYN_REPLY, _U32.pack(stream_id) + self._header_block(headers or {}), fin)

    def headers(self, stream_id: int, headers: Mapping[str, str], fin: bool = False) -> bytes:
        return _control(HEADERS, _U32.pack(stream_id) + self._header_block(headers), fin)

    def rst_stream(self, stream_id: int, status: int) -> bytes:
        return _control(RST_STREAM, _TWO_U32.pack(stream_id, status))

    def ping(self, ping_id: int) -> bytes:
        return _control(PING, _U32.pack(ping_id))

    def goaway(self, last_stream_id: int, status: int = 0) -> bytes:
        return _control(GOAWAY, _TWO_U32.pack(last_stream_id, status))

    def _header_block(self, headers: Mapping[str, str]) -> bytes:
        return self._blocks.block(spdy_headers.pairs(headers))


def data_frame(stream_id: int, payload: bytes | bytearray | memoryview, fin: bool = False) -> bytes:
    """One data frame; `payload` is at most `MAX_DATA_BYTES` long."""
    return b"".join((data_head(stream_id, len(payload), fin), payload))


def data_head(stream_id: int, length: int, fin: bool = False) -> bytes:
    """The head of a data frame; its payload is sent behind it."""
    return _TWO_U32.pack(stream_id, FLAG_FIN << 24 | length if fin else length)


def _control(kind: int, body: bytes, fin: bool = False) -> bytes:
    flags = FLAG_FIN << 24 if fin else 0
    return _CONTROL_HEAD.pack(0x8003, kind, flags | len(body)) + body


class Decoder:
    """Bytes to frames for one direction of one connection.

    At most one control frame (64 KiB) is buffered; data payloads are handed on as they come. With
    a `budget`, frames that carry nothing are charged to it, and one `feed` decodes at most
    `FRAMES_A_TURN`: while `is_behind`, `feed(b"")` goes on with what was left.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self._headers = spdy_headers.Reader(budget)
        self._budget = budget
        self._most = 1 << 31 if budget is None else FRAMES_A_TURN
        self._rest = b""
        self._partial = bytearray()
        self._data_stream_id = 0
        self._data_left = 0
        self._data_fin = False

    def feed(self, chunk: bytes | bytearray | memoryview) -> list[Frame]:
        """Take bytes as the network cut them; return the frames they complete.

        Payloads are copies: `chunk` may be reused at once.

        Raises:
            ProtocolError: not version 3, a control frame above 64 KiB or of a wrong length, a
                header block that does not inflate to whole pairs, data on stream 0, or more of
                all this than the budget allows.
        """
        frames: list[Frame] = []
        if self._rest:
            chunk, self._rest = self._rest + bytes(chunk), b""
        view = memoryview(chunk)
        at = 0
        if self._partial:
            at = self._complete_partial(view, frames)
        end = len(view)
        while at < end and len(frames) < self._most:
            if self._data_left:
                at = self._take_data(view, at, frames)
                continue
            if end - at < HEAD_BYTES:
                break
            first, second = _TWO_U32.unpack_from(view, at)
            length = second & MAX_DATA_BYTES
            if not first >> 31:
                self._start_data(first, second, frames)
                at += HEAD_BYTES
                continue
            _check_control(first, length)
            if end - at - HEAD_BYTES < length:
                break
            at += HEAD_BYTES
            self._control(first, second >> 24, bytes(view[at : at + length]), frames)
            at += length
        if len(frames) >= self._most:
            self._rest = bytes(view[at:])
        else:
            self._partial += view[at:]
        return frames

    @property
    def is_behind(self) -> bool:
        return bool(self._rest)

    def _complete_partial(self, view: memoryview, frames: list[Frame]) -> int:
        """Finish what earlier bytes began; return where `view` goes on."""
        at = self._top_up(view, 0, HEAD_BYTES)
        if len(self._partial) < HEAD_BYTES:
            return at
        first, second = _TWO_U32.unpack_from(self._partial)
        if not first >> 31:
            self._partial.clear()
            self._start_data(first, second, frames)
            return at
        length = second & MAX_DATA_BYTES
        _check_control(first, length)
        at = self._top_up(view, at, HEAD_BYTES + length)
        if len(self._partial) < HEAD_BYTES + length:
            return at
        body = bytes(self._partial[HEAD_BYTES:])
        self._partial.clear()
        self._control(first, second >> 24, body, frames)
        return at

    def _top_up(self, view: memoryview, at: int, wanted: int) -> int:
        missing = max(wanted - len(self._partial), 0)
        piece = view[at : at + missing]
        self._partial += piece
        return at + len(piece)

    def _start_data(self, first: int, second: int, frames: list[Frame]) -> None:
        if first == 0:
            raise ProtocolError("a data frame on stream 0")
        self._data_stream_id = first
        self._data_left = second & MAX_DATA_BYTES
        self._data_fin = bool(second >> 24 & FLAG_FIN)
        if self._data_left == 0:
            self._charge(0)
            frames.append(Data(first, b"", self._data_fin))

    def _take_data(self, view: memoryview, at: int, frames: list[Frame]) -> int:
        payload = bytes(view[at : at + self._data_left])
        self._data_left -= len(payload)
        is_last = self._data_left == 0
        frames.append(Data(self._data_stream_id, payload, is_last and self._data_fin))
        return at + len(payload)

    def _control(self, first: int, flags: int, body: bytes, frames: list[Frame]) -> None:
        self._charge(len(body))
        kind = first & 0xFFFF
        fin = bool(flags & FLAG_FIN)
        if kind == SYN_STREAM:
            stream_id = _stream_id(body, 10)
            frames.append(SynStream(stream_id, self._headers.read(body[10:]), fin))
        elif kind == SYN_REPLY:
            frames.append(SynReply(_stream_id(body, 4), self._headers.read(body[4:]), fin))
        elif kind == HEADERS:
            frames.append(Headers(_stream_id(body, 4), self._headers.read(body[4:]), fin))
        elif kind == RST_STREAM:
            stream_id, status = _two(body, "RST_STREAM")
            frames.append(RstStream(stream_id & _STREAM_ID_MASK, status))
        elif kind == PING:
            if len(body) != 4:
                raise ProtocolError(f"a PING of {len(body)} bytes, 4 are allowed")
            frames.append(Ping(_U32.unpack(body)[0]))
        elif kind == GOAWAY:
            last, status = _two(body, "GOAWAY")
            frames.append(GoAway(last & _STREAM_ID_MASK, status))
        elif kind == WINDOW_UPDATE:
            stream_id, delta = _two(body, "WINDOW_UPDATE")
            frames.append(WindowUpdate(stream_id & _STREAM_ID_MASK, delta & _STREAM_ID_MASK))
        elif kind == SETTINGS:
            frames.append(_settings(body))
        # Other kinds are skipped, as the draft asks (2.2.1): they carry no header block.

    def _charge(self, size: int) -> None:
        if self._budget is not None:
            self._budget.spend(size)


def _check_control(first: int, length: int) -> None:
    version = first >> 16 & 0x7FFF
    if version != 3:
        raise ProtocolError(f"a control frame of version {version}, 3 is allowed")
    if length > MAX_CONTROL_BYTES:
        raise ProtocolError(f"a control frame of {length} bytes, {MAX_CONTROL_BYTES} are allowed")


def _stream_id(body: bytes, head_bytes: int) -> int:
    if len(body) < head_bytes:
        raise ProtocolError(f"a control frame of {len(body)} bytes, {head_bytes} are needed")
    stream_id: int = _U32.unpack_from(body)[0] & _STREAM_ID_MASK
    if stream_id == 0:
        raise ProtocolError("a stream with number 0")
    return stream_id


def _two(body: bytes, name: str) -> tuple[int, int]:
    if len(body) != _TWO_U32.size:
        raise ProtocolError(f"a {name} of {len(body)} bytes, 8 are allowed")
    first, second = _TWO_U32.unpack(body)
    return first, second


def _settings(body: bytes) -> Settings:
    count = _U32.unpack_from(body)[0] if len(body) >= 4 else -1
    if len(body) != 4 + 8 * count:
        raise ProtocolError(f"SETTINGS of {len(body)} bytes that says it holds {count} values")
    pairs = struct.iter_unpack(">II", body[4:])
    return Settings({flagged_id & MAX_DATA_BYTES: value for flagged_id, value in pairs})
