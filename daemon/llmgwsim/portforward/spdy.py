"""The node's SPDY server: pairs of streams, and what becomes of their frames."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Protocol

from llmgwd.errors import ProtocolError
from llmgwd.protocol import spdy
from llmgwsim.portforward.forwarding import DialFailed, Forwarding
from llmgwsim.portforward.workers import Workers

if TYPE_CHECKING:
    from llmgwsim.portforward.target import Target

# The server copies through a buffer of this size, so no frame is longer.
MAX_FRAME_BYTES = 32 * 1024

_HEAD = struct.Struct(">II")


class Carrier(Protocol):
    """What SPDY's bytes travel on: the TLS connection itself, or a WebSocket."""

    def write_frames(self, frames: list[bytes | memoryview]) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...


class Pair:
    """The error and the data stream of one forwarded connection."""

    def __init__(self, session: SpdySession, request_id: str) -> None:
        self._session = session
        self.request_id = request_id
        self.error_id = 0
        self.data_id = 0
        self.port = 0
        self.timer: asyncio.TimerHandle | None = None
        self.forwarding: Forwarding | None = None

    @property
    def is_complete(self) -> bool:
        return bool(self.error_id and self.data_id)

    def pod_sent(self, piece: memoryview) -> None:
        self._session.send_data(self.data_id, piece)

    def pod_takes_more(self) -> None:
        self._session.unblock(self.data_id)

    def forwarding_ended(self, was_reset: bool) -> None:
        self._session.end_pair(self, was_reset)


class SpdySession:
    """One SPDY connection for port-forwarding, whatever carries it."""

    def __init__(self, carrier: Carrier, target: Target) -> None:
        self._carrier = carrier
        self._target = target
        self._decoder = spdy.Decoder()
        self._encoder = spdy.Encoder()
        self._workers = Workers(self._handle, self._pause_reading)
        self._streams: dict[int, Pair] = {}
        self._pairs: dict[str, Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_id = 0
        self._is_reading_paused = False
        self._is_writing_paused = False
        self._is_lost = False
        self._is_node_lost = False

    @property
    def stream_count(self) -> int:
        return len(self._streams)

    # The carrier's side

    def received(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_node_lost:
            self._carrier.close()
            return
        try:
            frames = self._decoder.feed(data)
        except ProtocolError:
            self._carrier.close()
            return
        self._workers.put(frame for frame in frames if self._is_in_turn(frame))

    def _is_in_turn(self, frame: spdy.Frame) -> bool:
        """Refuse a stream whose id is even or does not rise; all other frames pass."""
        if not isinstance(frame, spdy.SynStream):
            return True
        stream_id = frame.stream_id
        if stream_id % 2 == 1 and stream_id > self._last_id:
            self._last_id = stream_id
            return True
        self._write(self._encoder.rst_stream(stream_id, spdy.STATUS_PROTOCOL_ERROR))
        return False

    def lost(self) -> None:
        """The connection is gone; the pods learn it as containerd lets them."""
        self._is_lost = True
        for pair in list(self._pairs.values()):
            self._forget(pair)
            if pair.forwarding is not None:
                pair.forwarding.client_gone()
        for task in self._tasks:
            task.cancel()

    def pause_writing(self) -> None:
        self._pause_pods(True)

    def resume_writing(self) -> None:
        self._pause_pods(False)

    def _pause_pods(self, is_paused: bool) -> None:
        self._is_writing_paused = is_paused
        for pair in self._pairs.values():
            if pair.forwarding is not None:
                pair.forwarding.pause_reading(is_paused)

    def reset_streams(self) -> None:
        """A fault: reset every stream and keep the connection."""
        for pair in list(self._pairs.values()):
            forwarding = pair.forwarding
            self._reset(pair)
            if forwarding is not None:
                forwarding.finish()

    def lose_node(self) -> None:
        """A fault: the node's end is gone; what carries streams ends, what is idle when used."""
        self._is_node_lost = True
        if self._streams:
            self._carrier.close()

    def unblock(self, stream_id: int) -> None:
        """A stream's reader takes bytes again."""
        if not self._is_lost:
            self._workers.unblock(stream_id)

    def _pause_reading(self, is_paused: bool) -> None:
        if is_paused == self._is_reading_paused or self._is_lost:
            return
        self._is_reading_paused = is_paused
        if is_paused:
            self._carrier.pause_reading()
        else:
            self._carrier.resume_reading()

    # Frames

    def _handle(self, frame: spdy.Frame) -> bool:
        """Handle one frame; False when it must wait for its stream's reader."""
        if isinstance(frame, spdy.Data):
            return self._take_data(frame)
        if isinstance(frame, spdy.SynStream):
            self._open(frame)
        elif isinstance(frame, spdy.RstStream):
            pair = self._streams.get(frame.stream_id)
            if pair is not None and frame.stream_id == pair.data_id:
                self._forget(pair)
                if pair.forwarding is not None:
                    pair.forwarding.client_gone()
        elif isinstance(frame, spdy.Ping):
            self._workers.turn_ping()
            if frame.ping_id % 2:
                self._write(self._encoder.ping(frame.ping_id))
        return True

    def _take_data(self, frame: spdy.Data) -> bool:
        pair = self._streams.get(frame.stream_id)
        if pair is None or frame.stream_id != pair.data_id:
            return True
        forwarding = pair.forwarding
        # No one reads the stream before the dial is done.
        if forwarding is None or not (forwarding.takes_more or forwarding.is_finished):
            return False
        if frame.payload:
            forwarding.write(frame.payload)
        if frame.fin:
            forwarding.client_ended()
        return True

    def _open(self, frame: spdy.SynStream) -> None:
        stream_id, headers = frame.stream_id, frame.headers
        kind, port_text = headers.get("streamtype", ""), headers.get("port", "")
        is_port = port_text.isdecimal() and 0 < int(port_text) < 65536
        if kind not in ("error", "data") or not is_port:
            self._write(self._encoder.rst_stream(stream_id, spdy.STATUS_CANCEL))
            return
        # Clients of Kubernetes before 1.4 send no request id; their streams come in twos.
        fallback_id = stream_id if kind == "error" else stream_id - 2
        request_id = headers.get("requestid") or str(fallback_id)
        self._write(self._encoder.syn_reply(stream_id))
        self._add(request_id, kind, stream_id, int(port_text))
        if kind == "data" and frame.fin:
            self._workers.put_first(spdy.Data(stream_id, b"", True))

    def _add(self, request_id: str, kind: str, stream_id: int, port: int) -> None:
        pair = self._pairs.get(request_id)
        if pair is None:
            pair = self._pairs[request_id] = Pair(self, request_id)
            loop = asyncio.get_running_loop()
            pair.timer = loop.call_later(self._target.pair_timeout_s, self._time_out, pair)
        if (kind == "error" and pair.error_id) or (kind == "data" and pair.data_id):
            text = (
                f"error processing stream for request {request_id}: {kind} stream already assigned"
            )
            if pair.error_id:
                self._write(spdy.data_frame(pair.error_id, text.encode()))
            return
        self._streams[stream_id] = pair
        if kind == "error":
            pair.error_id = stream_id
        else:
            pair.data_id, pair.port = stream_id, port
        if pair.is_complete:
            self._start(pair)

    def _time_out(self, pair: Pair) -> None:
        if pair.error_id:
            text = f"(conn=demo, request={pair.request_id}) timed out waiting for streams"
            self._write(spdy.data_frame(pair.error_id, text.encode()))
        self._forget(pair)

    # Forwardings

    def _start(self, pair: Pair) -> None:
        if pair.timer is not None:
            pair.timer.cancel()
        pair.forwarding = Forwarding(pair)
        pair.forwarding.pause_reading(self._is_writing_paused)
        task = asyncio.get_running_loop().create_task(self._dial(pair, pair.forwarding))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dial(self, pair: Pair, forwarding: Forwarding) -> None:
        target = self._target
        try:
            await forwarding.dial(target.pod(), pair.port, target.uid)
        except DialFailed as failure:
            text = target.failure(pair.port, str(failure))
            self._write(spdy.data_frame(pair.error_id, text.encode()))
            self._reset(pair)

    def send_data(self, stream_id: int, piece: memoryview) -> None:
        if stream_id not in self._streams:
            return
        pieces: list[bytes | memoryview] = []
        for at in range(0, len(piece), MAX_FRAME_BYTES):
            part = piece[at : at + MAX_FRAME_BYTES]
            pieces.append(_HEAD.pack(stream_id, len(part)))
            pieces.append(part)
        self._carrier.write_frames(pieces)

    def end_pair(self, pair: Pair, was_reset: bool) -> None:
        """The forwarding is over: close both streams, or reset them."""
        if self._pairs.get(pair.request_id) is not pair:
            return
        if was_reset:
            self._reset(pair)
            return
        fins = [spdy.data_frame(number, b"", fin=True) for number in (pair.data_id, pair.error_id)]
        self._write(b"".join(fins))
        self._close(pair)

    def _reset(self, pair: Pair) -> None:
        if self._pairs.get(pair.request_id) is not pair:
            return
        for stream_id in (pair.data_id, pair.error_id):
            if stream_id:
                self._write(self._encoder.rst_stream(stream_id, spdy.STATUS_CANCEL))
        self._close(pair)

    def _close(self, pair: Pair) -> None:
        self._forget(pair)
        self.unblock(pair.data_id)

    def _forget(self, pair: Pair) -> None:
        if pair.timer is not None:
            pair.timer.cancel()
        self._pairs.pop(pair.request_id, None)
        self._streams.pop(pair.data_id, None)
        self._streams.pop(pair.error_id, None)

    def _write(self, data: bytes) -> None:
        if not self._is_lost:
            self._carrier.write_frames([data])
