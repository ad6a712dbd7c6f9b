"""A tunnel that speaks SPDY, plain or inside a WebSocket: a pair of streams a connection.

One stream at a time is the rule; where the pool shares a tunnel, a reader that stalls is given a
bounded buffer and a short grace, then it is cut, it alone (the peer has no flow control, so its
bytes would otherwise stall every neighbour).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.protocol import spdy
from llmgwd.tunnel.framing import Framing, RawFraming, WebSocketFraming
from llmgwd.tunnel.stream import StreamOwner, failure_from_text
from llmgwd.tunnel.tunnel import FAREWELL_S, Tunnel

if TYPE_CHECKING:
    import asyncio

    from llmgwd.cluster.pods import Endpoint

# A reader on a shared tunnel may lag this far behind before the tunnel waits for it …
SHARED_BACKLOG_BYTES: Final = 512 * 1024
# … and is cut for its neighbours' sake when, while it waits, it reads less than this in that time:
# a slow reader delays its neighbours by some three seconds at most, a stalled one by the grace.
SHARED_GRACE_S: Final = 0.25
SHARED_PACE_BYTES: Final = 64 * 1024
# What may still come for a client that is gone, before waiting for the pod's end costs too much.
DISCARD_LIMIT_BYTES: Final = 256 * 1024
# The error stream's text and the data stream's end come through different workers of the peer.
VERDICT_GRACE_S: Final = 0.25
# The server takes frames up to 16 MiB, but holds each whole in memory.
MAX_FRAME_BYTES: Final = 128 * 1024
# Error texts are one sentence; what is longer is cut.
MAX_ERROR_TEXT_BYTES: Final = 4096
# Far below the end of the 31-bit numbers, far above what a tunnel sees in months.
_LAST_STREAM_ID: Final = 1 << 30


class SpdyStream:
    """One forwarded connection: a data stream and the error stream that tells its fate."""

    __slots__ = (
        "_tunnel",
        "backlog_bytes",
        "closing_since",
        "data_id",
        "discarded_bytes",
        "error_id",
        "error_text",
        "has_answered",
        "is_accepted",
        "is_error_over",
        "is_finished",
        "is_judged",
        "is_paused",
        "owner",
        "pod_finished",
        "unread_bytes",
        "was_reset",
    )

    def __init__(self, tunnel: SpdyTunnel, owner: StreamOwner, error_id: int) -> None:
        self._tunnel = tunnel
        self.owner: StreamOwner | None = owner
        self.error_id = error_id
        self.data_id = error_id + 2
        self.error_text = b""
        self.backlog_bytes = 0
        self.unread_bytes = 0  # when the tunnel last looked at what its reader makes of the grace
        self.discarded_bytes = 0
        self.closing_since: float | None = None
        self.is_accepted = False
        self.has_answered = False
        self.is_paused = False
        self.is_finished = False  # we said our last byte
        self.pod_finished = False  # the pod said its last byte
        self.was_reset = False
        self.is_error_over = False
        self.is_judged = False

    @property
    def endpoint(self) -> Endpoint:
        return self._tunnel.endpoint

    def send(self, payload: bytes) -> None:
        self._tunnel.send_data(self, payload)

    def finish(self) -> None:
        self._tunnel.finish(self)

    def discard(self) -> None:
        self._tunnel.discard(self)

    def reset(self) -> None:
        self._tunnel.reset(self)

    def pause(self) -> None:
        self.is_paused = True
        self._tunnel.settle_reading()

    def resume(self) -> None:
        self.is_paused = False
        self.backlog_bytes = 0
        self._tunnel.settle_reading()


class SpdyTunnel(Tunnel):
    _framing: Framing

    def _attach(self, transport: asyncio.Transport) -> None:
        self._framing = (
            RawFraming(transport) if self.way is UpgradeKind.SPDY else WebSocketFraming(transport)
        )
        self._encoder = spdy.Encoder()
        self._decoder = spdy.Decoder()
        self._streams: dict[int, SpdyStream] = {}  # by both ids
        self._live = 0
        self._next_id = 1
        self._next_ping_id = 1
        self._grace: asyncio.TimerHandle | None = None

    @property
    def load(self) -> int:
        return self._live

    @property
    def is_idle(self) -> bool:
        return not self._streams

    @property
    def can_share(self) -> bool:
        return not (
            self.is_closed
            or self.is_draining
            or not self.is_clean
            or self._is_write_paused
            or self._next_id > _LAST_STREAM_ID
        )

    # Our side of a stream.

    def open(self, owner: StreamOwner) -> SpdyStream:
        stream = SpdyStream(self, owner, self._next_id)
        self._next_id += 4
        self._streams[stream.error_id] = self._streams[stream.data_id] = stream
        self._live += 1
        port = str(self.endpoint.port)
        request_id = str(stream.error_id)
        headers = {"streamtype": "error", "port": port, "requestid": request_id}
        error = self._encoder.syn_stream(stream.error_id, headers, fin=True)
        headers["streamtype"] = "data"
        data = self._encoder.syn_stream(stream.data_id, headers)
        payload = owner.unsent()
        self._sent_since_heard_bytes += len(payload)
        self._expect_reply()
        self._framing.write(error, data, *_data_frames(stream.data_id, payload))
        owner.stream_opened(stream)
        if self._is_write_paused:
            owner.pause_sending()
        self.settle_reading()
        return stream

    def send_data(self, stream: SpdyStream, payload: bytes) -> None:
        if self.is_closed or stream.is_finished or stream.owner is None:
            return
        self._sent_since_heard_bytes += len(payload)
        self._framing.write(*_data_frames(stream.data_id, payload))

    def finish(self, stream: SpdyStream) -> None:
        if self.is_closed or stream.is_finished or stream.data_id not in self._streams:
            return
        stream.is_finished = True
        self._framing.write(spdy.data_frame(stream.data_id, b"", fin=True))
        if stream.pod_finished:
            stream.closing_since = self._loop.time()
        self._settle(stream)

    def discard(self, stream: SpdyStream) -> None:
        if stream.owner is None or stream.data_id not in self._streams:
            return
        self._disown(stream)
        stream.is_paused = False
        stream.closing_since = self._loop.time()
        self.settle_reading()
        self.finish(stream)
        self._changed(self)

    def reset(self, stream: SpdyStream) -> None:
        if self.is_closed or stream.data_id not in self._streams:
            return
        self._framing.write(
            self._encoder.rst_stream(stream.data_id, spdy.STATUS_CANCEL),
            self._encoder.rst_stream(stream.error_id, spdy.STATUS_CANCEL),
        )
        self.is_clean = False
        self._remove(stream)

    # Frames.

    def _feed(self, chunk: memoryview) -> None:
        for payload in self._framing.feed(chunk):
            self._take_frames(self._decoder.feed(payload))
        if self._framing.goodbye is not None:
            self.fail(self._framing.goodbye)

    def _take_frames(self, frames: list[spdy.Frame]) -> None:
        """Act on frames in order; neighbouring pieces of one stream go on as one."""
        data_id, payloads = 0, list[bytes]()
        for frame in frames:
            if isinstance(frame, spdy.Data):
                if frame.stream_id != data_id:
                    self._take_data(data_id, payloads)
                    data_id, payloads = frame.stream_id, []
                payloads.append(frame.payload)
                if frame.fin:
                    self._take_data(data_id, payloads)
                    payloads = []
                    self._take_fin(frame.stream_id)
            else:
                self._take_data(data_id, payloads)
                payloads = []
                self._take_control(frame)
        self._take_data(data_id, payloads)

    def _take_data(self, stream_id: int, payloads: list[bytes]) -> None:
        if not payloads:
            return
        payload = payloads[0] if len(payloads) == 1 else b"".join(payloads)
        stream = self._streams.get(stream_id)
        if stream is None or not payload:
            return
        if stream_id == stream.error_id:
            stream.error_text = (stream.error_text + payload)[:MAX_ERROR_TEXT_BYTES]
        elif stream.owner is None:
            self._drop(stream, payload)
        else:
            stream.has_answered = True
            stream.owner.stream_data(payload)
            if stream.is_paused:
                stream.backlog_bytes += len(payload)
                self.settle_reading()

    def _drop(self, stream: SpdyStream, payload: bytes) -> None:
        stream.discarded_bytes += len(payload)
        if stream.discarded_bytes > DISCARD_LIMIT_BYTES:
            self.reset(stream)

    def _take_fin(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if stream_id == stream.error_id:
            stream.is_error_over = True
        else:
            stream.pod_finished = True
        self._judge(stream)

    def _take_control(self, frame: spdy.Frame) -> None:
        if isinstance(frame, spdy.SynReply):
            stream = self._streams.get(frame.stream_id)
            if stream is not None and frame.stream_id == stream.data_id:
                stream.is_accepted = True
            if frame.fin:
                self._take_fin(frame.stream_id)
        elif isinstance(frame, spdy.RstStream):
            self._take_reset(frame.stream_id)
        elif isinstance(frame, spdy.Ping):
            if not frame.ping_id % 2:
                self._framing.write(self._encoder.ping(frame.ping_id))
        elif isinstance(frame, spdy.GoAway):
            self._take_goaway(frame)
        elif isinstance(frame, spdy.SynStream):
            # The peer opens none in this protocol; refuse it as spdystream does.
            self._framing.write(
                self._encoder.rst_stream(frame.stream_id, spdy.STATUS_REFUSED_STREAM)
            )

    def _take_reset(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        self.is_clean = False
        if stream_id == stream.error_id:
            stream.is_error_over = True
        else:
            stream.was_reset = True
        self._judge(stream)

    def _take_goaway(self, frame: spdy.GoAway) -> None:
        self.is_clean = False
        for stream in set(self._streams.values()):
            if stream.data_id > frame.last_stream_id and not stream.is_accepted:
                cause = Transient(ConditionKind.TUNNEL_LOST, "The cluster takes no more streams.")
                self._end_badly(stream, cause, is_unreceived=True)
        self.drain()
        self._changed(self)

    # Verdicts.

    def _judge(self, stream: SpdyStream, is_grace_over: bool = False) -> None:
        """Tell the owner how its stream ended, once both halves of the story are there."""
        if stream.is_judged or stream.data_id not in self._streams:
            self._settle(stream)
            return
        is_data_over = stream.pod_finished or stream.was_reset
        is_told = stream.is_error_over and bool(stream.error_text)
        if not is_data_over and not is_told:
            return
        if not (stream.is_error_over or stream.has_answered or is_grace_over):
            self._loop.call_later(VERDICT_GRACE_S, self._judge, stream, True)
            return
        stream.is_judged = True
        if stream.error_text:
            text = stream.error_text.decode(errors="replace").strip()
            self._end_badly(stream, *failure_from_text(text, stream.has_answered))
        elif stream.was_reset:
            cause = Transient(ConditionKind.TUNNEL_LOST, "The pod's connection was reset.")
            self._end_badly(stream, cause, is_unreceived=not stream.is_accepted)
        else:
            if stream.owner is not None:
                stream.owner.stream_ended()
            self._settle(stream)

    def _end_badly(self, stream: SpdyStream, cause: LlmgwError, is_unreceived: bool) -> None:
        owner = stream.owner
        self.is_clean = False
        self._remove(stream)
        if owner is not None:
            owner.stream_failed(cause, is_unreceived)

    def _settle(self, stream: SpdyStream) -> None:
        """Forget a stream both sides have ended; its tunnel may serve again."""
        is_over = stream.pod_finished or stream.was_reset
        if is_over and stream.is_finished and stream.is_error_over:
            self._remove(stream)

    def _remove(self, stream: SpdyStream) -> None:
        if self._streams.pop(stream.data_id, None) is None:
            return
        self._streams.pop(stream.error_id, None)
        self._disown(stream)
        if self.is_idle:
            self.idle_since = self._loop.time()
            if self.is_draining or not self.is_clean:
                self.close()
        self.settle_reading()
        if not self.is_closed:
            self._changed(self)

    def _disown(self, stream: SpdyStream) -> None:
        if stream.owner is not None:
            stream.owner = None
            self._live -= 1

    def _sweep(self, now: float) -> None:
        for stream in set(self._streams.values()):
            since = stream.closing_since
            if since is not None and now - since > FAREWELL_S:
                self.reset(stream)

    # Back-pressure.

    def settle_reading(self) -> None:
        """Stop reading while a reader lags: at once if it is alone, past its backlog if not."""
        if not self._is_read_paused and not any(s.is_paused for s in self._streams.values()):
            return
        is_shared = len(self._streams) > 2
        is_held_up = any(
            stream.is_paused and (not is_shared or stream.backlog_bytes > SHARED_BACKLOG_BYTES)
            for stream in self._streams.values()
        )
        self._set_read_paused(is_held_up)
        if self._grace is not None and not (is_held_up and is_shared):
            self._grace.cancel()
            self._grace = None
        elif self._grace is None and is_held_up and is_shared:
            self._start_grace(self._laggards())

    def _laggards(self) -> list[SpdyStream]:
        streams = set(self._streams.values())
        return [s for s in streams if s.is_paused and s.backlog_bytes > SHARED_BACKLOG_BYTES]

    def _start_grace(self, laggards: list[SpdyStream]) -> None:
        for stream in laggards:
            stream.unread_bytes = _unread_bytes(stream)
        self._grace = self._loop.call_later(SHARED_GRACE_S, self._cut_stalled)

    def _cut_stalled(self) -> None:
        """Cut the laggards that stand still; those that read on get another while."""
        self._grace = None
        for stream in self._laggards():
            is_alone = len(self._streams) <= 2
            if not is_alone and stream.unread_bytes - _unread_bytes(stream) < SHARED_PACE_BYTES:
                self._cut(stream)
        laggards = self._laggards()
        if laggards and self._grace is None and len(self._streams) > 2:
            self._start_grace(laggards)

    def _cut(self, stream: SpdyStream) -> None:
        owner = stream.owner
        self.reset(stream)
        if owner is not None:
            message = "The client stopped reading and would have stalled its neighbours."
            owner.stream_failed(Transient(ConditionKind.TUNNEL_LOST, message), False)

    def _pause_sources(self) -> None:
        for owner in self._owners():
            owner.pause_sending()

    def _resume_sources(self) -> None:
        for owner in self._owners():
            owner.resume_sending()

    def _owners(self) -> list[StreamOwner]:
        streams = set(self._streams.values())
        return [stream.owner for stream in streams if stream.owner is not None]

    # The tunnel's own.

    def _send_ping(self) -> None:
        self._framing.write(self._encoder.ping(self._next_ping_id))
        self._next_ping_id += 2

    def _goodbye(self) -> None:
        self._framing.close()

    def _lost(self, cause: LlmgwError) -> None:
        """Fail all streams. Before the SYN_REPLY the peer has dialled nobody, unless it fell
        silent first: then it may have, and its word may have got lost."""
        streams = set(self._streams.values())
        self._streams.clear()
        self._live = 0
        for stream in streams:
            if stream.owner is not None:
                stream.owner.stream_failed(cause, not (stream.is_accepted or self.is_silent))


def _unread_bytes(stream: SpdyStream) -> int:
    return 0 if stream.owner is None else stream.owner.unread_bytes()


def _data_frames(stream_id: int, payload: bytes) -> list[bytes | memoryview]:
    """Return heads and payloads in turn, the payload not copied."""
    chunks: list[bytes | memoryview] = []
    view = memoryview(payload)
    for at in range(0, len(payload), MAX_FRAME_BYTES):
        piece = view[at : at + MAX_FRAME_BYTES]
        chunks += (spdy.data_head(stream_id, len(piece)), piece)
    return chunks
