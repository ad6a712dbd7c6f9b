"""One upgraded connection to one pod: its transport, its liveness, its end, and its streams.

A tunnel has two parts that know nothing of each other. `Liveness` judges the peer by when bytes
came; `Streams` (SPDY's or the v4 channels') knows what the bytes mean. The tunnel itself moves
bytes between the transport and the streams and carries out what either decides.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.errors import LlmgwError, ProtocolError, Transient
from llmgwd.net.tls_reading import share_buffer
from llmgwd.tunnel.channels import ChannelStreams
from llmgwd.tunnel.liveness import Liveness
from llmgwd.tunnel.spdy.streams import SpdyStreams

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.cluster.upgrade import Upgraded
    from llmgwd.relay.route import Stream, StreamOwner

GOODBYE_S: Final = 1.0
WRITE_HIGH_BYTES: Final = 256 * 1024
# Undecoded TLS that asyncio may keep for a reader that stalls; it takes up to 256 KiB more with
# the read that passes the mark, and as much again to read into.
READ_HIGH_BYTES: Final = 64 * 1024
# Pongs and refusals that may wait for a peer that does not read. A peer that goes on asking for
# more without reading wants to fill our memory: 335 MB in 12 s were seen with no limit here.
# Reads are not stopped instead, because a program that echoes an upload would then wait for us
# while we wait for it.
OWED_REPLIES_BYTES: Final = 64 * 1024
# One may be chance: a collection of garbage, or a burst of neighbours.
MAX_LONG_TURNS: Final = 2

# All tunnels read into one buffer: asyncio fills it and hands it over within one call.
_READ_VIEW = memoryview(bytearray(256 * 1024))


@runtime_checkable
class BoundedReader(Protocol):
    """A transport that decodes, and so keeps what is not decoded: asyncio's TLS, not plain TCP."""

    def set_read_buffer_limits(self, high: int) -> None: ...


class Streams(Protocol):
    """What a tunnel carries, in the words of one protocol."""

    load: int
    """How many streams someone waits for."""

    @property
    def is_idle(self) -> bool:
        """No stream at all, not even one that is being discarded."""

    @property
    def can_share(self) -> bool:
        """May another stream be opened next to those there are, while the tunnel takes any?"""

    def open(self, owner: StreamOwner) -> Stream: ...

    def feed(self, chunk: memoryview | bytes) -> bool:
        """Act on the peer's bytes; return whether some are left for the next turn of the loop.

        Raises:
            ProtocolError: the peer broke the protocol's rules, or exceeded its budget.
        """

    def ping(self) -> None: ...

    def sweep(self, now: float) -> None:
        """End streams whose peer owes us an end for too long."""

    def sweep_at(self) -> float:
        """Return when the next one will."""

    def fail_all(self, cause: LlmgwError, *, was_silent: bool) -> None:
        """Report the tunnel's end to every owner; called once, when it is closed already."""

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...

    def say_goodbye(self) -> None:
        """Announce the end in the protocol's own words, where it has some."""


class Phase(StrEnum):
    OPEN = "open"
    DRAINING = "draining"  # takes no new stream; closes when the last one has ended
    CLOSED = "closed"


class Tunnel(asyncio.BufferedProtocol):
    """`changed` is called (with this tunnel) whenever what the pool may do with it may differ."""

    def __init__(
        self, endpoint: Endpoint, way: UpgradeKind, changed: Callable[[Tunnel], None]
    ) -> None:
        self.endpoint = endpoint
        self.way = way
        self.phase = Phase.OPEN
        self.end_cause: LlmgwError | None = None
        self.idle_since = 0.0  # on the loop's clock, as are all instants here
        self.is_write_paused = False
        self.is_read_paused = False
        self.liveness: Liveness
        self.streams: Streams
        self._loop = asyncio.get_running_loop()
        self._changed = changed
        self._transport: asyncio.Transport
        self._long_turns = 0
        self._owed_bytes = 0  # replies written while the peer does not read

    def adopt(self, upgraded: Upgraded) -> None:
        """Take over an upgraded connection; bytes that came with the upgrade are read first."""
        transport = upgraded.transport
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        if isinstance(transport, BoundedReader):
            transport.set_read_buffer_limits(high=READ_HIGH_BYTES)
            share_buffer(transport)
        self._transport = transport
        self.idle_since = self._loop.time()
        self.liveness = Liveness(self.idle_since)
        kind = ChannelStreams if self.way is UpgradeKind.CHANNELS else SpdyStreams
        self.streams = kind(self, transport)
        if upgraded.leftover:
            self._received(memoryview(upgraded.leftover))
        if not self.is_closed and not self.is_read_paused:
            transport.resume_reading()

    # For the pool.

    @property
    def is_draining(self) -> bool:
        return self.phase is Phase.DRAINING

    @property
    def is_closed(self) -> bool:
        return self.phase is Phase.CLOSED

    @property
    def load(self) -> int:
        return self.streams.load

    @property
    def is_idle(self) -> bool:
        return self.streams.is_idle

    @property
    def is_spent(self) -> bool:
        """Cannot take another stream; does not count against the cap on tunnels."""
        if self.phase is not Phase.OPEN or self.liveness.is_silent:
            return True
        return not (self.streams.is_idle or self.streams.can_share)

    @property
    def is_doubted(self) -> bool:
        return self.liveness.is_doubted(self._loop.time())

    def open(self, owner: StreamOwner) -> Stream:
        """Open a stream and send what its owner has for it, in one write."""
        return self.streams.open(owner)

    def ping(self, now: float, limit_s: float | None = None) -> None:
        """Ask for a byte within `limit_s`; a ping that is under way only gets a nearer end."""
        if not self.is_closed and self.liveness.ask(now, limit_s):
            self.streams.ping()

    def doubt(self, now: float, limit_s: float) -> None:
        """Take no new stream until a byte proves that the peer lives; silent after `limit_s`."""
        if not self.is_closed and self.liveness.doubt(now, limit_s):
            self.streams.ping()

    def check(self, now: float) -> None:
        """Act on what is due.

        Silence ends a tunnel that no one uses. One in use takes no new streams from then on; the
        pool decides what becomes of it by what the other tunnels hear.
        """
        self.streams.sweep(now)
        is_in_use = self.streams.load > 0
        if self.is_closed or not self.liveness.is_overdue(now, is_in_use=is_in_use):
            return
        if is_in_use:
            self.liveness.fell_silent()
            self._changed(self)
        else:
            self.condemn(now)

    def next_at(self) -> float:
        """Return when something is due next, if the peer says nothing."""
        is_in_use = self.streams.load > 0
        return min(self.streams.sweep_at(), self.liveness.next_at(is_in_use=is_in_use))

    def condemn(self, now: float) -> None:
        self.fail(silence(now - self.liveness.heard_at))

    def drain(self) -> None:
        """Take no new streams; close once the present ones have ended."""
        if self.phase is Phase.OPEN:
            self.phase = Phase.DRAINING
        if self.is_idle:
            self.close()

    def close(self) -> None:
        self.fail(Transient(ConditionKind.TUNNEL_LOST, "The tunnel was closed."), is_ours=True)

    def fail(self, cause: LlmgwError, is_ours: bool = False) -> None:
        """End the tunnel and all its streams; `end_cause` is None when we wanted it so."""
        if self.is_closed:
            return
        self.phase = Phase.CLOSED
        self.end_cause = None if is_ours else cause
        if is_ours and self.is_idle:
            self.streams.say_goodbye()
            self._transport.close()
            # TLS waits 30 s for a goodbye in return, and holds half a megabyte meanwhile.
            self._loop.call_later(GOODBYE_S, self._transport.abort)
        else:
            self._transport.abort()
        self.streams.fail_all(cause, was_silent=self.liveness.is_silent)
        self._changed(self)

    def caused_long_turn(self) -> None:
        """What this peer sent took all others' time; the second time it is cut off."""
        self._long_turns += 1
        if self._long_turns >= MAX_LONG_TURNS:
            words = "The tunnel was closed: what came through it took too much processor time."
            self.fail(Transient(ConditionKind.TUNNEL_LOST, words))

    # For the streams.

    def changed(self) -> None:
        if not self.is_closed:
            self._changed(self)

    def became_idle(self) -> None:
        self.idle_since = self._loop.time()
        if self.is_draining:
            self.close()

    def reply(self, size: int) -> None:
        """Account for a reply that the peer asked for, of `size` bytes.

        Raises:
            ProtocolError: the peer asks for ever more replies and reads none.
        """
        if self.is_write_paused:
            self._owed_bytes += size
            if self._owed_bytes > OWED_REPLIES_BYTES:
                raise ProtocolError("pings without end from a peer that reads no answer")

    def set_reading(self, is_reading: bool) -> None:
        """Stop or resume reading from the peer, whose own writes then wait in TCP."""
        if is_reading is not self.is_read_paused or self.is_closed:
            return
        self.is_read_paused = not is_reading
        if is_reading:
            self.liveness.listen_again(self._loop.time())
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
            self.liveness.stop_listening()

    # asyncio's side.

    def get_buffer(self, sizehint: int) -> memoryview:
        # Never the bytearray itself: asyncio's TLS reads record after record into slices of what
        # it gets here, and a bytearray's slice is a copy.
        return _READ_VIEW

    def buffer_updated(self, nbytes: int) -> None:
        self._received(_READ_VIEW[:nbytes])

    def _received(self, chunk: memoryview | bytes) -> None:
        if self.is_closed:
            return
        if chunk and self.liveness.heard(self._loop.time()):
            self._changed(self)
        try:
            is_behind = self.streams.feed(chunk)
        except LlmgwError as error:
            self.fail(error)
            return
        if is_behind and not self.is_closed:
            # Thousands of tiny frames in one read: the other connections get their turn first.
            self._transport.pause_reading()
            self._loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        self._received(b"")
        if not self.is_read_paused and not self.is_closed:
            self._transport.resume_reading()

    def eof_received(self) -> None:
        self.fail(Transient(ConditionKind.TUNNEL_LOST, "The cluster closed the tunnel."))

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f": {exc}" if exc else ""
        self.fail(Transient(ConditionKind.TUNNEL_LOST, f"The tunnel broke{reason}."))
        # asyncio's TLS keeps our bound methods and we keep it: half a megabyte that only the
        # collector of reference cycles would find.
        self._transport.set_protocol(_NO_ONE)

    def pause_writing(self) -> None:
        self.is_write_paused = True
        self.streams.pause_sending()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        self._owed_bytes = 0
        self.streams.resume_sending()


_NO_ONE = asyncio.BufferedProtocol()


def silence(for_s: float) -> Transient:
    return Transient(
        ConditionKind.TUNNEL_SILENT,
        f"The cluster has sent nothing for {for_s:.0f} s, not even a ping.",
    )
