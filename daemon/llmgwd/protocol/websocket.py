"""WebSocket frames (RFC 6455) as a client of the API server needs them, and no more.

Pure and incremental. Payloads are handed on in pieces as they come, so that a message of any size
costs no buffer; only control frames (125 bytes at most) are put together. No extensions, because
none is offered at the upgrade.
"""

from __future__ import annotations

import os
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from llmgwd.errors import ProtocolError
from llmgwd.protocol.budget import FRAMES_A_TURN

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.protocol.budget import Budget

    mask_in_place: Callable[[bytes, bytearray], None]
else:
    try:
        # 80 times as fast as anything in pure Python; not public in aiohttp, so it may move.
        from aiohttp._websocket.helpers import websocket_mask as mask_in_place
    except ImportError:  # pragma: no cover - an aiohttp that moved it

        def mask_in_place(mask: bytes, data: bytearray) -> None:
            size = len(data)
            key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
            data[:] = (int.from_bytes(data, "little") ^ key).to_bytes(size, "little")


MAX_CONTROL_BYTES: Final = 125

_FIN: Final = 0x80
_MASKED: Final = 0x80
_RESERVED: Final = 0x70
_MASK_BYTES: Final = 4
_U16 = struct.Struct(">H")
_U64 = struct.Struct(">Q")


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Piece(NamedTuple):
    """A piece of a data message; `is_first` on the message's first, `is_last` on its last."""

    payload: bytes
    is_first: bool
    is_last: bool


class Ping(NamedTuple):
    payload: bytes


class Pong(NamedTuple):
    payload: bytes


class Close(NamedTuple):
    """The peer's goodbye; 1005 stands for a close frame without a code (RFC 6455, 7.1.5)."""

    code: int
    reason: str


Part = Piece | Ping | Pong | Close


def frame(opcode: Opcode, *chunks: bytes | bytearray | memoryview) -> bytearray:
    """One unfragmented, masked frame whose payload is the chunks put together."""
    length = sum(map(len, chunks))
    if length < 126:
        head = bytes((_FIN | opcode, _MASKED | length))
    elif length < 1 << 16:
        head = bytes((_FIN | opcode, _MASKED | 126)) + _U16.pack(length)
    else:
        head = bytes((_FIN | opcode, _MASKED | 127)) + _U64.pack(length)
    # Masked in place, room for the head included, so that the payload is copied just once.
    start = len(head) + _MASK_BYTES
    mask = os.urandom(_MASK_BYTES)
    whole = bytearray().join((bytes(start), *chunks))
    mask_in_place(mask, whole)
    whole[:start] = head + bytes(mask[(start + i) % _MASK_BYTES] for i in range(_MASK_BYTES))
    return whole


def close_frame(code: int) -> bytearray:
    return frame(Opcode.CLOSE, _U16.pack(code))


class Decoder:
    """Bytes of a server to parts of messages.

    With a `budget`, frames that carry nothing are charged to it, and one `feed` decodes at most
    `FRAMES_A_TURN`: while `is_behind`, `feed(b"")` goes on with what was left.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.is_behind = False
        self._budget = budget
        self._most = 1 << 31 if budget is None else FRAMES_A_TURN
        self._partial = bytearray()
        self._left = 0
        self._is_final_frame = True
        self._is_in_message = False
        self._is_first_piece = True

    def feed(self, chunk: bytes | bytearray | memoryview) -> list[Part]:
        """Take bytes as the network cut them; return the parts they complete.

        Raises:
            ProtocolError: reserved bits, an unknown opcode, a masked frame from a server, a
                fragmented or oversized control frame, a continuation of nothing, or more
                frames without payload than the budget allows.
        """
        parts: list[Part] = []
        view = memoryview(chunk)
        if self._partial:
            self._partial += view
            view = memoryview(bytes(self._partial))
            self._partial.clear()
        at = 0
        end = len(view)
        while at < end and len(parts) < self._most:
            if self._left:
                at = self._take_payload(view, at, parts)
                continue
            after = self._take_frame(view, at, parts)
            if after is None:
                break
            at = after
        self.is_behind = len(parts) >= self._most and at < end
        self._partial += view[at:]
        return parts

    def _take_payload(self, view: memoryview, at: int, parts: list[Part]) -> int:
        payload = bytes(view[at : at + self._left])
        self._left -= len(payload)
        self._add_piece(payload, parts)
        return at + len(payload)

    def _add_piece(self, payload: bytes, parts: list[Part]) -> None:
        is_last = self._is_final_frame and not self._left
        parts.append(Piece(payload, self._is_first_piece, is_last))
        self._is_first_piece = is_last
        self._is_in_message = not is_last

    def _take_frame(self, view: memoryview, at: int, parts: list[Part]) -> int | None:
        """Read one head at `at` (and a control frame's body); None when it is not whole yet."""
        head = _read_head(view, at)
        if head is None:
            return None
        opcode, is_final, length, start = head
        if opcode >= Opcode.CLOSE:
            return self._take_control(view, start, opcode, is_final, length, parts)
        if (opcode == Opcode.CONTINUATION) != self._is_in_message:
            raise ProtocolError(f"a WebSocket frame of kind {opcode} where it cannot stand")
        self._is_final_frame = is_final
        self._left = length
        self._is_in_message = True
        if length == 0:
            self._charge(0)
            self._add_piece(b"", parts)
        return start

    def _take_control(
        self,
        view: memoryview,
        start: int,
        opcode: int,
        is_final: bool,
        length: int,
        parts: list[Part],
    ) -> int | None:
        if not is_final or length > MAX_CONTROL_BYTES:
            raise ProtocolError(f"a WebSocket control frame of {length} bytes, 125 are allowed")
        if len(view) - start < length:
            return None
        self._charge(length)
        parts.append(_control(opcode, bytes(view[start : start + length])))
        return start + length

    def _charge(self, size: int) -> None:
        if self._budget is not None:
            self._budget.spend(size)


def _read_head(view: memoryview, at: int) -> tuple[int, bool, int, int] | None:
    """Return opcode, whether the frame is the message's last, payload length and start."""
    have = len(view) - at
    if have < 2:
        return None
    first, second = view[at], view[at + 1]
    if first & _RESERVED:
        raise ProtocolError("a WebSocket frame with reserved bits set")
    if second & _MASKED:
        raise ProtocolError("a masked WebSocket frame from a server")
    length, start = second, at + 2
    if length == 126:
        if have < 4:
            return None
        (length,), start = _U16.unpack_from(view, start), at + 4
    elif length == 127:
        if have < 10:
            return None
        (length,), start = _U64.unpack_from(view, start), at + 10
    return first & 0x0F, bool(first & _FIN), length, start


def _control(opcode: int, body: bytes) -> Part:
    if opcode == Opcode.PING:
        return Ping(body)
    if opcode == Opcode.PONG:
        return Pong(body)
    if opcode == Opcode.CLOSE:
        code = _U16.unpack_from(body)[0] if len(body) >= 2 else 1005
        return Close(code, body[2:].decode(errors="replace"))
    raise ProtocolError(f"a WebSocket frame of the unknown kind {opcode}")
