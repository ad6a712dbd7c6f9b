"""The frames that open a stream and carry its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmgwd.protocol import spdy, spdy_headers

if TYPE_CHECKING:
    from llmgwd.tunnel.spdy.stream import SpdyStream

# The server takes frames up to 16 MiB, but holds each whole in memory.
MAX_FRAME_BYTES: Final = 128 * 1024


class Openings:
    """All that two openings of one tunnel differ in is the request id at the end of the headers."""

    def __init__(self, encoder: spdy.Encoder, port: int) -> None:
        self._encoder = encoder
        self._error_pairs = _pairs("error", port)
        self._data_pairs = _pairs("data", port)

    def frames(self, stream: SpdyStream, payload: bytes) -> list[bytes | memoryview]:
        """Return both SYN_STREAMs and the first bytes: no reply is needed in between."""
        error_id, data_id = stream.error_id, stream.data_id
        request_id = spdy_headers.text(str(error_id))
        return [
            self._encoder.syn_stream_of(error_id, self._error_pairs + request_id, fin=True),
            self._encoder.syn_stream_of(data_id, self._data_pairs + request_id),
            *data_frames(data_id, payload),
        ]


def data_frames(stream_id: int, payload: bytes) -> list[bytes | memoryview]:
    """Return heads and payloads in turn, the payload not copied."""
    if len(payload) <= MAX_FRAME_BYTES:
        return [spdy.data_head(stream_id, len(payload)), payload] if payload else []
    chunks: list[bytes | memoryview] = []
    view = memoryview(payload)
    for at in range(0, len(payload), MAX_FRAME_BYTES):
        piece = view[at : at + MAX_FRAME_BYTES]
        chunks += (spdy.data_head(stream_id, len(piece)), piece)
    return chunks


def _pairs(stream_type: str, port: int) -> bytes:
    """Return the header block of an opening up to the request id's value."""
    headers = {"streamtype": stream_type, "port": str(port), "requestid": ""}
    return spdy_headers.pairs(headers)[: -len(spdy_headers.text(""))]
