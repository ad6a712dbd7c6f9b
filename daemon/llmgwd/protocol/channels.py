"""`v4.channel.k8s.io` for one forwarded port: WebSocket messages to data and error text.

Each message is one channel byte and payload; channel 0 is data, 1 the error text. The first two
bytes on each channel are the port, little-endian, which the server writes before it dials.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from llmgwd.errors import ProtocolError

if TYPE_CHECKING:
    from llmgwd.protocol.websocket import Piece

DATA: Final = 0
ERROR: Final = 1
# The largest message the server takes is 32 MiB; smaller ones let back-pressure work finely.
MAX_MESSAGE_BYTES: Final = 256 * 1024


class Received(NamedTuple):
    channel: int
    payload: bytes


class Decoder:
    """Pieces of messages to payloads by channel, the leading ports checked and taken off."""

    def __init__(self, port: int) -> None:
        self._announcement = struct.pack("<H", port)
        self._announced = {DATA: b"", ERROR: b""}
        self._channel = DATA
        self._needs_channel = True

    def feed(self, piece: Piece) -> Received | None:
        """Return the payload in a piece, or None where it holds none.

        Raises:
            ProtocolError: a channel other than 0 and 1, or another port than was asked for.
        """
        payload = piece.payload
        if piece.is_first:
            self._needs_channel = True
        if self._needs_channel and payload:
            self._channel, payload = payload[0], payload[1:]
            self._needs_channel = False
            if self._channel not in self._announced:
                raise ProtocolError(f"a message on channel {self._channel}, 0 and 1 are allowed")
        payload = self._without_announcement(payload)
        return Received(self._channel, payload) if payload else None

    def _without_announcement(self, payload: bytes) -> bytes:
        seen = self._announced[self._channel]
        missing = len(self._announcement) - len(seen)
        if not missing or not payload:
            return payload
        seen += payload[:missing]
        self._announced[self._channel] = seen
        if not self._announcement.startswith(seen):
            raise ProtocolError(f"channel {self._channel} is of another port than was asked for")
        return payload[missing:]
