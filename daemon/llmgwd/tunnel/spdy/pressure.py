"""Back-pressure on a tunnel that several streams share, towards the readers of the answers.

SPDY as Kubernetes speaks it has no flow control: there are no windows, and the only way to slow a
pod down is to stop reading the whole tunnel. For a stream that has the tunnel to itself that is
exactly right: TCP carries the stall to the pod, and nothing is buffered here. On a shared tunnel it
would stall the neighbours, and four ways out were weighed:

- *Buffer without limit.* A reader that sleeps in a 2 GB answer takes the daemon's memory with it.
- *Stop reading at once.* One client that is stopped in a debugger stalls everyone who shares its
  tunnel; kubectl does this, and five of five new connections then time out.
- *Cut a stalled reader at once.* A slow link or a busy client stalls for some milliseconds all the
  time, and would lose its answer for it.
- *Move the stream to a tunnel of its own.* The protocol cannot: a stream belongs to its connection.

So a lagging reader may fall `SHARED_BACKLOG_BYTES` behind while nothing else happens. Past that,
reading stops, and the reader must show that it moves: `SHARED_PACE_BYTES` in each
`SHARED_GRACE_S`, measured by what waits for it here and in the kernel. One that does keeps its
answer and delays its neighbours a little; one that stands still is reset, it alone. The pace is
measured over what was there when reading stopped, so the neighbours' own stall is bounded too.

A tunnel is only shared past the cap on tunnels. This is the price of never refusing a client, not
the normal way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from llmgwd.tunnel.spdy.stream import SpdyStream

# A reader on a shared tunnel may lag this far behind before the tunnel waits for it …
SHARED_BACKLOG_BYTES: Final = 512 * 1024
# … and is cut for its neighbours' sake when, while it waits, it reads less than this in that time:
# a slow reader delays its neighbours by some three seconds at most, a stalled one by the grace.
SHARED_GRACE_S: Final = 0.25
SHARED_PACE_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class Lag:
    """How far behind a paused reader is; edited in place, for it changes with every chunk."""

    backlog_bytes: int = 0
    unread_bytes: int = 0  # when a grace began


class SharedReading:
    """Decides whether a tunnel is read and whose stream is cut for it."""

    def __init__(
        self,
        streams: Mapping[int, SpdyStream],
        set_reading: Callable[[bool], None],
        cut: Callable[[SpdyStream], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.lagging = 0  # streams whose reader is paused
        self._streams = streams
        self._set_reading = set_reading
        self._cut = cut
        self._loop = loop
        self._grace: asyncio.TimerHandle | None = None

    def pause(self, stream: SpdyStream) -> None:
        if stream.owner is None or stream.number not in self._streams:
            return
        if stream.lag is None:
            stream.lag = Lag()
            self.lagging += 1
        self.settle()

    def resume(self, stream: SpdyStream) -> None:
        """Its reader lags no more, or is gone; its neighbours may have had to wait for it."""
        if not self.lagging:
            return
        if stream.lag is not None:
            stream.lag = None
            self.lagging -= 1
        # Where it did not lag itself, it may leave a laggard alone on the tunnel.
        self.settle()

    def settle(self) -> None:
        """Stop reading while a reader lags: at once if it is alone, past its backlog if not."""
        is_shared = self._is_shared()
        laggards = self._laggards(is_shared) if self.lagging else []
        self._set_reading(not laggards)
        if self._grace is not None and not (laggards and is_shared):
            self.stop()
        elif self._grace is None and laggards and is_shared:
            self._start_grace(laggards)

    def stop(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def _is_shared(self) -> bool:
        """Streams whose answer no one waits for are no neighbours: their ends may come late."""
        return sum(stream.owner is not None for stream in self._streams.values()) > 1

    def _laggards(self, is_shared: bool) -> list[SpdyStream]:
        most = SHARED_BACKLOG_BYTES if is_shared else -1
        return [s for s in self._streams.values() if s.lag and s.lag.backlog_bytes > most]

    def _start_grace(self, laggards: list[SpdyStream]) -> None:
        for stream in laggards:
            if stream.lag is not None:
                stream.lag.unread_bytes = _unread_bytes(stream)
        self._grace = self._loop.call_later(SHARED_GRACE_S, self._end_grace)

    def _end_grace(self) -> None:
        """Cut the laggards that stand still; those that read on get another while."""
        self._grace = None
        for stream in self._laggards(is_shared=True):
            if self._is_shared() and stream.lag is not None:
                read_bytes = stream.lag.unread_bytes - _unread_bytes(stream)
                if read_bytes < SHARED_PACE_BYTES:
                    self._cut(stream)
        # A cut settles, and so may have begun the next grace.
        if self._grace is None:
            self.settle()


def _unread_bytes(stream: SpdyStream) -> int:
    return 0 if stream.owner is None else stream.owner.unread_bytes()
