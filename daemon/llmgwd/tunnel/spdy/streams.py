"""The streams of a tunnel that speaks SPDY, plain or inside a WebSocket: frames to owners and back.

One stream at a time is the rule; past the cap on tunnels the pool lets several share one, and a
reader that stalls is then kept from its neighbours (`pressure`).
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.protocol import spdy
from llmgwd.protocol.budget import Budget
from llmgwd.tunnel.framing import Framing, RawFraming, WebSocketFraming
from llmgwd.tunnel.spdy import stream_end
from llmgwd.tunnel.spdy.opening import Openings, data_frames
from llmgwd.tunnel.spdy.pressure import SharedReading
from llmgwd.tunnel.spdy.stream import SpdyStream
from llmgwd.tunnel.spdy.stream_end import Event, Verdict

if TYPE_CHECKING:
    from llmgwd.relay.route import StreamOwner
    from llmgwd.tunnel.tunnel import Tunnel

# Ends that the peer ought to answer at once (a FIN for a FIN) and containerd answers after 1 s.
FAREWELL_S: Final = 2.5
# What may still come for a client that is gone, before waiting for the pod's end costs too much.
DISCARD_LIMIT_BYTES: Final = 256 * 1024
# The error stream's text and the data stream's end come through different workers of the peer.
VERDICT_GRACE_S: Final = 0.25
# Two replies with an empty header block, two ends, two resets, and some to spare.
_STREAM_UNITS: Final = 16
_PONG_UNITS: Final = 2
# Far below the end of the 31-bit stream ids, far above what a tunnel sees in months.
_MOST_STREAMS: Final = 1 << 28


class SpdyStreams:
    def __init__(self, tunnel: Tunnel, transport: asyncio.WriteTransport) -> None:
        self.load = 0
        self._tunnel = tunnel
        self._loop = asyncio.get_running_loop()
        self._budget = Budget(self._loop.time())
        self._framing: Framing = (
            RawFraming(transport)
            if tunnel.way is UpgradeKind.SPDY
            else WebSocketFraming(transport, tunnel, self._budget)
        )
        self._encoder = spdy.Encoder()
        self._decoder = spdy.Decoder(self._budget)
        self._openings = Openings(self._encoder, tunnel.endpoint.port)
        self._streams: dict[int, SpdyStream] = {}
        self._next_number = 0
        self._next_ping_id = 1
        self._is_clean = True  # no stream was reset, whose bytes may still be on their way
        self._closing: dict[int, SpdyStream] = {}  # those that owe us an end, the longest first
        self.pressure = SharedReading(self._streams, tunnel.set_reading, self._cut, self._loop)

    @property
    def is_idle(self) -> bool:
        return not self._streams

    @property
    def can_share(self) -> bool:
        is_clogged = self._tunnel.is_write_paused
        return self._is_clean and not is_clogged and self._next_number < _MOST_STREAMS

    # Our side of a stream.

    def open(self, owner: StreamOwner) -> SpdyStream:
        tunnel = self._tunnel
        stream = SpdyStream(self, tunnel.endpoint, owner, self._next_number)
        self._streams[self._next_number] = stream
        self._next_number += 1
        self.load += 1
        self._budget.grant(_STREAM_UNITS)
        payload = owner.unsent(stream.endpoint.pod)
        tunnel.liveness.sent(len(payload))
        tunnel.liveness.opened(self._loop.time())
        self._framing.write(*self._openings.frames(stream, payload))
        owner.stream_opened(stream)
        if tunnel.is_write_paused:
            owner.pause_sending()
        if self.pressure.lagging:
            self.pressure.settle()
        if self.load == 1:
            # Nothing else has to go out on this tunnel: to wait for the turn's end gathers nothing.
            self._framing.flush()
        return stream

    def send_data(self, stream: SpdyStream, payload: bytes) -> None:
        if self._tunnel.is_closed or stream.is_finished or stream.owner is None:
            return
        self._tunnel.liveness.sent(len(payload))
        self._framing.write(*data_frames(stream.data_id, payload))

    def finish(self, stream: SpdyStream) -> None:
        if self._tunnel.is_closed or stream.is_finished or stream.number not in self._streams:
            return
        stream.is_finished = True
        self._framing.write_later(spdy.data_head(stream.data_id, 0, fin=True))
        if not stream_end.is_open(stream.data):
            self._expect_end(stream)
        self._settle(stream)

    def discard(self, stream: SpdyStream) -> None:
        if stream.owner is None or stream.number not in self._streams:
            return
        self._disown(stream)
        self._expect_end(stream)
        self.pressure.resume(stream)
        self.finish(stream)
        if stream.number in self._streams:
            self._tunnel.changed()

    def reset(self, stream: SpdyStream) -> None:
        if self._tunnel.is_closed or stream.number not in self._streams:
            return
        self._framing.write(
            self._encoder.rst_stream(stream.data_id, spdy.STATUS_CANCEL),
            self._encoder.rst_stream(stream.error_id, spdy.STATUS_CANCEL),
        )
        self._is_clean = False
        self._remove(stream)

    def feed(self, chunk: memoryview | bytes) -> bool:
        self._budget.refill(self._loop.time())
        self._take_frames(self._decoder.feed(self._framing.feed(chunk)))
        if self._framing.goodbye is not None and not self._decoder.is_behind:
            self._tunnel.fail(self._framing.goodbye)
        return self._decoder.is_behind or self._framing.is_behind

    def _take_frames(self, frames: list[spdy.Frame]) -> None:
        """Act on frames in order; neighbouring pieces of one stream go on as one."""
        data_id, payloads = 0, list[bytes]()
        for frame in frames:
            if isinstance(frame, spdy.Data):
                if payloads and frame.stream_id != data_id:
                    self._take_data(data_id, payloads)
                    payloads = []
                data_id = frame.stream_id
                if frame.payload:
                    payloads.append(frame.payload)
                if not frame.fin:
                    continue
            if payloads:
                self._take_data(data_id, payloads)
                payloads = []
            if isinstance(frame, spdy.Data):
                self._take_end(data_id, Event.FIN)
            else:
                self._take_control(frame)
        if payloads:
            self._take_data(data_id, payloads)

    def _find(self, stream_id: int) -> SpdyStream | None:
        """Ours are odd; both streams of a pair lead to it."""
        return self._streams.get(stream_id >> 2) if stream_id & 1 else None

    def _take_data(self, stream_id: int, payloads: list[bytes]) -> None:
        stream = self._find(stream_id)
        if stream is None:
            return
        payload = payloads[0] if len(payloads) == 1 else b"".join(payloads)
        if stream_id == stream.error_id:
            stream.add_words(payload)
        elif not stream_end.is_open(stream.data):
            return
        elif stream.owner is None:
            stream.discarded_bytes += len(payload)
            if stream.discarded_bytes > DISCARD_LIMIT_BYTES:
                self.reset(stream)
        else:
            if stream.data is not stream_end.Data.ANSWERING:
                stream.data = stream_end.step(stream.data, Event.BYTES)
            stream.owner.stream_data(payload)
            if stream.lag is not None:
                stream.lag.backlog_bytes += len(payload)
                self.pressure.settle()

    def _take_control(self, frame: spdy.Frame) -> None:
        if isinstance(frame, spdy.SynReply):
            stream = self._find(frame.stream_id)
            if stream is not None and frame.stream_id == stream.data_id:
                stream.data = stream_end.step(stream.data, Event.REPLY)
            if frame.fin:
                self._take_end(frame.stream_id, Event.FIN)
        elif isinstance(frame, spdy.RstStream):
            self._take_end(frame.stream_id, Event.RST)
        elif isinstance(frame, spdy.Ping):
            if not frame.ping_id % 2:
                self._reply(self._encoder.ping(frame.ping_id))
        elif isinstance(frame, spdy.GoAway):
            self._take_goaway(frame)
        elif isinstance(frame, spdy.SynStream):
            # The peer opens none in this protocol; refuse it as spdystream does.
            self._reply(self._encoder.rst_stream(frame.stream_id, spdy.STATUS_REFUSED_STREAM))

    def _reply(self, frame: bytes) -> None:
        self._tunnel.reply(len(frame))
        self._framing.write(frame)

    def _take_end(self, stream_id: int, event: Event) -> None:
        stream = self._find(stream_id)
        if stream is None:
            return
        if event is Event.RST:
            self._is_clean = False
        if stream_id == stream.error_id:
            stream.error = stream_end.end(stream.error)
        else:
            stream.data = stream_end.step(stream.data, event)
        self._judge(stream)

    def _take_goaway(self, frame: spdy.GoAway) -> None:
        self._is_clean = False
        for stream in list(self._streams.values()):
            if stream.data_id > frame.last_stream_id and stream_end.is_unaccepted(stream.data):
                self._end_badly(stream, _lost("The cluster takes no more streams."), True)
        self._tunnel.drain()
        self._tunnel.changed()

    # Verdicts.

    def _judge(self, stream: SpdyStream, is_grace_over: bool = False) -> None:
        """Report to the owner how its stream ended, once that is known."""
        if stream.is_judged or stream.number not in self._streams:
            self._settle(stream)
            return
        # Where no owner is left to decide by it, the error stream's word is not waited for.
        is_grace_over = is_grace_over or stream.owner is None
        verdict = stream_end.judge(stream.data, stream.error, is_grace_over=is_grace_over)
        if verdict is Verdict.WAIT:
            return
        if verdict is Verdict.GRACE:
            self._loop.call_later(VERDICT_GRACE_S, self._judge, stream, True)
            return
        stream.is_judged = True
        if verdict is Verdict.ENDED:
            self._end_well(stream)
        elif verdict is Verdict.FAILED_IN_WORDS:
            self._end_badly(stream, *stream.failure())
        else:
            is_unreceived = verdict is Verdict.NEVER_ACCEPTED
            self._end_badly(stream, _lost("The pod's connection was reset."), is_unreceived)

    def _end_well(self, stream: SpdyStream) -> None:
        """The owner is let go first: no end of the tunnel may reach it after its own."""
        owner = stream.owner
        self._disown(stream)
        self.pressure.resume(stream)
        if owner is not None:
            owner.stream_ended()
        self.finish(stream)
        self._settle(stream)
        if stream.number in self._streams:
            self._tunnel.changed()

    def _end_badly(self, stream: SpdyStream, cause: LlmgwError, is_unreceived: bool) -> None:
        owner = stream.owner
        self._is_clean = False
        self._remove(stream)
        if owner is not None:
            owner.stream_failed(cause, is_unreceived)

    def _settle(self, stream: SpdyStream) -> None:
        """Forget a stream both sides have ended; its tunnel may serve again."""
        is_over = not stream_end.is_open(stream.data) and stream_end.is_error_over(stream.error)
        if is_over and stream.is_finished:
            self._remove(stream)

    def _remove(self, stream: SpdyStream) -> None:
        if self._streams.pop(stream.number, None) is None:
            return
        self._closing.pop(stream.number, None)
        self._disown(stream)
        self.pressure.resume(stream)
        if not self._streams:
            self._tunnel.became_idle()
            if not self._is_clean:
                self._tunnel.close()
        self._tunnel.changed()

    def _disown(self, stream: SpdyStream) -> None:
        if stream.owner is not None:
            stream.owner = None
            self.load -= 1

    def _expect_end(self, stream: SpdyStream) -> None:
        stream.end_due_at = self._loop.time() + FAREWELL_S
        self._closing[stream.number] = self._closing.pop(stream.number, stream)

    # Back-pressure.

    def _cut(self, stream: SpdyStream) -> None:
        owner = stream.owner
        self.reset(stream)
        if owner is not None:
            said = "The client stopped reading and would have stalled its neighbours."
            owner.stream_failed(_lost(said), False)

    def pause_sending(self) -> None:
        for owner in self._owners():
            owner.pause_sending()

    def resume_sending(self) -> None:
        for owner in self._owners():
            owner.resume_sending()

    def _owners(self) -> list[StreamOwner]:
        return [each.owner for each in self._streams.values() if each.owner is not None]

    def ping(self) -> None:
        self._budget.grant(_PONG_UNITS)
        self._framing.write(self._encoder.ping(self._next_ping_id))
        self._next_ping_id += 2

    def sweep(self, now: float) -> None:
        for stream in list(self._closing.values()):
            if now < stream.end_due_at:
                return
            self.reset(stream)

    def sweep_at(self) -> float:
        return next(iter(self._closing.values())).end_due_at if self._closing else inf

    def say_goodbye(self) -> None:
        self._framing.close()

    def fail_all(self, cause: LlmgwError, *, was_silent: bool) -> None:
        """Before the SYN_REPLY the peer has dialled no one, unless it fell silent first: then it
        may have, and its word may have been lost."""
        streams = list(self._streams.values())
        self._streams.clear()
        self._closing.clear()
        self.pressure.stop()
        self.load = 0
        for stream in streams:
            if stream.owner is not None:
                is_unreceived = stream_end.is_unaccepted(stream.data) and not was_silent
                stream.owner.stream_failed(cause, is_unreceived)


def _lost(said: str) -> Transient:
    return Transient(ConditionKind.TUNNEL_LOST, said)
