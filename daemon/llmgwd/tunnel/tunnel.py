"""What the tunnels of all ways in share: one upgraded connection, its liveness, its end.

A tunnel is judged by bytes. While it is idle, a ping that no byte follows condemns it. One in use
falls silent then: it takes nothing new, but what it carries goes on when the path comes back, and
ends when the path is proved to be there without it. Pings are given longer where what we sent may
have clogged the peer: its frame reader stops when a pod does not read what was uploaded.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.errors import LlmgwError, Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.cluster.pods import Endpoint
    from llmgwd.cluster.upgrade import Upgraded
    from llmgwd.tunnel.stream import StreamOwner, TunnelStream

# A dead peer is found within PING_EVERY_S + SILENT_AFTER_S and two ticks of the pool: 10 s.
PING_EVERY_S: Final = 4.0
SILENT_AFTER_S: Final = 5.0
# A living idle tunnel is heard every PING_EVERY_S plus a tick and a round trip. One unheard for
# longer is dead, or we were asleep: a new stream had better wait for the ping.
DOUBTED_AFTER_S: Final = PING_EVERY_S + 2.0
# The reply to a stream's opening comes from the peer itself, within a round trip. One that is later
# than this on top of two raises the suspicion that the path is dead, long before a ping is due.
LATE_REPLY_S: Final = 0.5
# What a tunnel in use that may be clogged by its own upload is given before silence condemns it.
CLOGGED_AFTER_S: Final = 60.0
# Below this much sent since the peer's last byte, the buffers between us and the program cannot
# be full, so a starved ping is a dead path. A socket's default receive buffer is 128 KiB.
CLOGGING_BYTES: Final = 64 * 1024
# Ends that the peer ought to answer at once (a FIN for a FIN) and containerd answers after 1 s.
FAREWELL_S: Final = 2.5
GOODBYE_S: Final = 1.0
WRITE_HIGH_BYTES: Final = 256 * 1024
# Undecoded TLS that asyncio may keep for a reader that stalls; it takes up to 256 KiB more with
# the read that passes the mark, and as much again to read into.
READ_HIGH_BYTES: Final = 64 * 1024

# All tunnels read into one buffer: asyncio fills it and hands it over within one call.
_READ_VIEW = memoryview(bytearray(256 * 1024))


@runtime_checkable
class BoundedReader(Protocol):
    """A transport that decodes, and so keeps what is not decoded: asyncio's TLS, not plain TCP."""

    def set_read_buffer_limits(self, high: int) -> None: ...


_NOBODY = asyncio.BufferedProtocol()


class Tunnel(asyncio.BufferedProtocol):
    """One upgraded connection to one pod. Subclasses know what the bytes mean.

    `changed` is called (with this tunnel) whenever what the pool may do with it may differ.
    """

    def __init__(
        self, endpoint: Endpoint, way: UpgradeKind, changed: Callable[[Tunnel], None]
    ) -> None:
        self.endpoint = endpoint
        self.way = way
        self.is_draining = False
        self.is_closed = False
        self.is_clean = True
        self.is_silent = False  # a ping is overdue, and streams wait for what becomes of it
        self.end_cause: LlmgwError | None = None
        self.heard_at = 0.0  # on the loop's clock, as are all instants here
        self.round_trip_s: float | None = None
        self.idle_since = 0.0
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._is_write_paused = False
        self._is_read_paused = False
        self._pinged_at: float | None = None
        self._ping_limit_s = SILENT_AFTER_S
        self._sent_since_heard_bytes = 0
        self._was_doubted = False
        self._reply_owed_since: float | None = None

    def adopt(self, upgraded: Upgraded) -> None:
        """Take over an upgraded connection; bytes that came with the upgrade are read first."""
        transport = upgraded.transport
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        if isinstance(transport, BoundedReader):
            transport.set_read_buffer_limits(high=READ_HIGH_BYTES)
        self._transport = transport
        self.heard_at = self.idle_since = self._loop.time()
        self._attach(transport)
        if upgraded.leftover:
            self._received(memoryview(upgraded.leftover))
        if not self.is_closed:
            transport.resume_reading()

    # What a way in adds.

    @property
    def load(self) -> int:
        """Streams somebody is waiting on."""
        raise NotImplementedError

    @property
    def is_idle(self) -> bool:
        """No stream at all, not even one that is being discarded."""
        raise NotImplementedError

    @property
    def can_share(self) -> bool:
        """May carry another stream next to those it has."""
        raise NotImplementedError

    @property
    def is_spent(self) -> bool:
        """Takes no stream next to those it has, so that it must not keep a fresh one from being."""
        return self.is_draining or self.is_silent or not (self.is_idle or self.can_share)

    @property
    def is_held_up(self) -> bool:
        """A reader lags and the peer is made to wait; it is cut if others share the tunnel."""
        return self._is_read_paused

    def open(self, owner: StreamOwner) -> TunnelStream:
        """Open a stream and send what its owner has for it, in one write."""
        raise NotImplementedError

    def _attach(self, transport: asyncio.Transport) -> None:
        raise NotImplementedError

    def _feed(self, chunk: memoryview) -> None:
        raise NotImplementedError

    def _send_ping(self) -> None:
        raise NotImplementedError

    def _sweep(self, now: float) -> None:
        """End streams whose peer owes us an end for too long."""

    def _lost(self, cause: LlmgwError) -> None:
        """Tell every stream; called once, when the tunnel is closed already."""
        raise NotImplementedError

    def _pause_sources(self) -> None:
        raise NotImplementedError

    def _resume_sources(self) -> None:
        raise NotImplementedError

    # Liveness.

    def check(self, now: float) -> None:
        """Ping where due, draw conclusions where the answer is; called about once a second."""
        if self.is_closed:
            return
        self._sweep(now)
        if self._pinged_at is not None:
            if now - self._pinged_at >= self._patience_s():
                self._fall_silent(now)
        elif now - self.heard_at >= PING_EVERY_S and not self._is_read_paused:
            self.ping(now)

    def _fall_silent(self, now: float) -> None:
        if self.load == 0:
            self.condemn(now)
        elif not self.is_silent:
            self.is_silent = self._was_doubted = True
            self._changed(self)

    def condemn(self, now: float) -> None:
        self.fail(silence(now - self.heard_at))

    def ping(self, now: float, limit_s: float = SILENT_AFTER_S) -> None:
        """Ask for a byte within `limit_s`; a ping that is under way only gets a nearer end."""
        if self.is_closed:
            return
        if self._pinged_at is not None:
            self._ping_limit_s = min(self._ping_limit_s, now - self._pinged_at + limit_s)
            return
        self._pinged_at = now
        self._ping_limit_s = limit_s
        self._send_ping()

    def doubt(self, now: float, limit_s: float) -> None:
        """Take no new stream until a byte proves that the peer lives; silent after `limit_s`."""
        if self.is_closed or self._is_read_paused:
            return
        self._was_doubted = True
        self.ping(now, limit_s)

    @property
    def is_doubted(self) -> bool:
        """Unheard for longer than pings allow, or doubted in words; a new stream waits."""
        if self._was_doubted:
            return True
        return not self._is_read_paused and self._loop.time() - self.heard_at > DOUBTED_AFTER_S

    def is_late(self, now: float) -> bool:
        """The peer owes the reply to an opening for longer than a living path takes."""
        if self._reply_owed_since is None or self._is_read_paused:
            return False
        return now - self._reply_owed_since > LATE_REPLY_S + 2 * (self.round_trip_s or 0.0)

    @property
    def asked_at(self) -> float | None:
        """When the ping was sent that has no answer yet."""
        return self._pinged_at

    def _expect_reply(self) -> None:
        """Call when a stream is opened to which the peer itself replies."""
        if self._reply_owed_since is None:
            self._reply_owed_since = self._loop.time()

    def _patience_s(self) -> float:
        may_be_clogged = self.load > 0 and self._sent_since_heard_bytes >= CLOGGING_BYTES
        return CLOGGED_AFTER_S if may_be_clogged else self._ping_limit_s

    def _heard(self) -> None:
        now = self._loop.time()
        if self._pinged_at is not None:
            if not self.is_silent:
                self.round_trip_s = now - self._pinged_at
            self._pinged_at = None
        self.heard_at = now
        self._sent_since_heard_bytes = 0
        self._reply_owed_since = None
        if self._was_doubted:
            self._was_doubted = self.is_silent = False
            self._changed(self)

    # The end.

    def drain(self) -> None:
        """Take no new streams; close once the present ones have ended."""
        self.is_draining = True
        if self.is_idle:
            self.close()

    def close(self) -> None:
        self.fail(Transient(ConditionKind.TUNNEL_LOST, "The tunnel was closed."), is_ours=True)

    def fail(self, cause: LlmgwError, is_ours: bool = False) -> None:
        """End the tunnel and all its streams; `end_cause` is None when we wanted it so."""
        if self.is_closed:
            return
        self.is_closed = True
        self.end_cause = None if is_ours else cause
        if is_ours and self.is_idle:
            self._goodbye()
            self._transport.close()
            # TLS waits 30 s for a goodbye in return, and holds half a megabyte meanwhile.
            self._loop.call_later(GOODBYE_S, self._transport.abort)
        else:
            self._transport.abort()
        self._lost(cause)
        self._changed(self)

    def _goodbye(self) -> None:
        """Say it in the protocol's own words, where it has some."""

    # asyncio's side.

    def get_buffer(self, sizehint: int) -> memoryview:
        # Never the bytearray itself: asyncio's TLS reads record after record into slices of what
        # it gets here, and a bytearray's slice is a copy.
        return _READ_VIEW

    def buffer_updated(self, nbytes: int) -> None:
        self._received(_READ_VIEW[:nbytes])

    def _received(self, chunk: memoryview) -> None:
        if self.is_closed:
            return
        self._heard()
        try:
            self._feed(chunk)
        except LlmgwError as error:
            self.fail(error)

    def eof_received(self) -> None:
        self.fail(Transient(ConditionKind.TUNNEL_LOST, "The cluster closed the tunnel."))

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f": {exc}" if exc else ""
        self.fail(Transient(ConditionKind.TUNNEL_LOST, f"The tunnel broke{reason}."))
        # asyncio's TLS keeps our bound methods and we keep it: half a megabyte that only the
        # collector of rings would find.
        self._transport.set_protocol(_NOBODY)

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self._pause_sources()

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._resume_sources()

    def _set_read_paused(self, is_paused: bool) -> None:
        if is_paused == self._is_read_paused or self.is_closed:
            return
        self._is_read_paused = is_paused
        if is_paused:
            self._transport.pause_reading()
            # A pong that waits unread behind the pause proves nothing against the peer.
            self._pinged_at = None
        else:
            self.heard_at = self._loop.time()
            self._transport.resume_reading()


def silence(for_s: float) -> Transient:
    return Transient(
        ConditionKind.TUNNEL_SILENT,
        f"The cluster has sent nothing for {for_s:.0f} s, not even a ping.",
    )
