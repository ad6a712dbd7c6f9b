"""Whether one tunnel's peer is alive, judged by the bytes that come from it. Pure over instants.

Only a byte proves that the peer is there, and any byte does: an answer on one stream is as good as
a pong. So a tunnel that is busy is never pinged, and an idle one is pinged when it has said nothing
for `ping_every_s`. Three things were tried instead, and each was wrong in the field:

- *TCP's own keep-alive* notices a dead path after minutes, and never a peer whose kernel lives on
  while its process is stopped.
- *Closing every tunnel whose ping is late.* A stream in it may be a model that has been thinking
  for a minute: the path may come back (a lift, a changed network, a switch that restarts) and TCP
  then delivers everything. So silence ends an idle tunnel, which costs nothing, but one in use only
  takes no new streams, until the path is proved to be there without it (`suspicion`).
- *One time-out for all pings.* The peer reads frames in order and stops when a pod does not read
  what is uploaded to it; our ping then waits behind the upload in the peer's buffers and proves
  nothing. Such a tunnel gets `CLOGGED_AFTER_S`. It is only granted where enough was sent since the
  peer's last byte to fill those buffers, or a dead path under a small upload would be found late.

A new stream needs an earlier warning than a ping gives. `is_doubted` says "wait until a byte
comes": the tunnel was silent for longer than pings allow (we slept, or the loop stood still), or
someone called its path into question. Doubt ends with the next byte and costs one round trip.

While we do not read (`stop_listening`), nothing the peer does can be heard, and nothing is held
against it: a pong that waits unread behind a stalled reader is not a silent peer.
"""

from __future__ import annotations

from math import inf
from typing import Final

# A dead peer is found within PING_EVERY_S + SILENT_AFTER_S and a turn of the pool: 10 s.
PING_EVERY_S: Final = 4.0
SILENT_AFTER_S: Final = 5.0
# A route that no one has used for an hour is pinged this rarely: sooner than the shortest time
# after which load balancers are known to drop an idle connection (30 s, in front of OpenShift).
UNUSED_PING_EVERY_S: Final = 25.0
# A living idle tunnel is heard once a period plus a round trip. One that was not heard for longer
# than this on top is dead, or we were asleep.
DOUBTED_LATE_S: Final = 2.0
DOUBTED_AFTER_S: Final = PING_EVERY_S + DOUBTED_LATE_S
# The reply to a stream's opening comes from the peer itself, within a round trip. One that is later
# than this on top of two raises the suspicion that the path is dead, long before a ping is due.
LATE_REPLY_S: Final = 0.5
# What a tunnel in use that may be clogged by its own upload is given before silence ends it.
CLOGGED_AFTER_S: Final = 60.0
# Below this much sent since the peer's last byte, the buffers between us and the program cannot
# be full, so a starved ping is a dead path. A socket's default receive buffer is 128 KiB.
CLOGGING_BYTES: Final = 64 * 1024


class Liveness:
    """All instants are on one clock of the caller's."""

    def __init__(self, now: float) -> None:
        self.heard_at = now
        self.ping_every_s = PING_EVERY_S
        self.asked_at: float | None = None  # when the ping left that has no answer yet
        self.round_trip_s: float | None = None
        self.is_silent = False  # a ping is overdue, and streams wait for what becomes of it
        self._limit_s = SILENT_AFTER_S  # what the ping under way is given
        self._sent_bytes = 0  # since the peer's last byte
        self._owed_since: float | None = None  # the reply to a stream's opening
        self._is_suspected = False
        self._is_listening = True

    # What happened.

    def heard(self, now: float) -> bool:
        """Note that bytes came; return whether that ended a doubt."""
        if self.asked_at is not None:
            if not self.is_silent:
                self.round_trip_s = now - self.asked_at
            self.asked_at = None
        self.heard_at = now
        self._sent_bytes = 0
        self._owed_since = None
        if not self._is_suspected:
            return False
        self._is_suspected = self.is_silent = False
        return True

    def sent(self, size: int) -> None:
        self._sent_bytes += size

    def opened(self, now: float) -> None:
        """A stream was opened to which the peer itself replies."""
        if self._owed_since is None:
            self._owed_since = now

    def fell_silent(self) -> None:
        self.is_silent = self._is_suspected = True

    def stop_listening(self) -> None:
        self._is_listening = False
        self.asked_at = None

    def listen_again(self, now: float) -> None:
        self._is_listening = True
        self.heard_at = now

    def ask(self, now: float, limit_s: float | None = None) -> bool:
        """Expect a byte within `limit_s`; return whether a ping must leave for that.

        A ping that is under way is not repeated: it only gets an earlier end.
        """
        limit_s = SILENT_AFTER_S if limit_s is None else limit_s
        if self.asked_at is not None:
            self._limit_s = min(self._limit_s, now - self.asked_at + limit_s)
            return False
        self.asked_at = now
        self._limit_s = limit_s
        return True

    def doubt(self, now: float, limit_s: float) -> bool:
        """Take no new stream until a byte comes; return whether a ping must leave."""
        if not self._is_listening:
            return False
        self._is_suspected = True
        return self.ask(now, limit_s)

    # What follows from it.

    def is_ping_due(self, now: float, early_s: float = 0.0) -> bool:
        return self._is_listening and self.asked_at is None and now >= self._ping_at() - early_s

    def is_overdue(self, now: float, *, is_in_use: bool) -> bool:
        """Has the answer to a ping not come in time? True once for each silence."""
        if self.asked_at is None or self.is_silent:
            return False
        return now - self.asked_at >= self._patience_s(is_in_use)

    def next_at(self, *, is_in_use: bool) -> float:
        """Return when the next thing is due; infinite while only the peer can change anything."""
        if self.asked_at is not None:
            at = inf if self.is_silent else self.asked_at + self._patience_s(is_in_use)
        else:
            at = self._ping_at() if self._is_listening else inf
        if self._owed_since is not None and self._is_listening and not self._is_suspected:
            at = min(at, self._owed_since + self._late_s())
        return at

    def is_doubted(self, now: float) -> bool:
        """Must a new stream wait until the peer was heard?"""
        if self._is_suspected:
            return True
        return self._is_listening and now - self.heard_at > self.ping_every_s + DOUBTED_LATE_S

    def is_late(self, now: float) -> bool:
        """Has the peer owed the reply to an opening for longer than a living path takes?"""
        if self._owed_since is None or not self._is_listening:
            return False
        return now - self._owed_since >= self._late_s()

    def _ping_at(self) -> float:
        return self.heard_at + self.ping_every_s

    def _late_s(self) -> float:
        return LATE_REPLY_S + 2 * (self.round_trip_s or 0.0)

    def _patience_s(self, is_in_use: bool) -> float:
        may_be_clogged = is_in_use and self._sent_bytes >= CLOGGING_BYTES
        return CLOGGED_AFTER_S if may_be_clogged else self._limit_s
