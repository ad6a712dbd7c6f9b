"""One local client's connection, from accept to close.

It waits a moment for the client's first bytes (so that they travel with the opening of the
stream), is admitted by the forward, held or carried, perhaps given back and carried again, and
reported closed exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import sys
import termios
from typing import TYPE_CHECKING, Final, Protocol, cast

from llmgwd.relay.peer import is_peer_gone

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.counters import ForwardCounters
    from llmgwd.relay.route import Admission

# HTTP clients speak first, within microseconds of the connection; a protocol whose server greets
# waits this much longer.
FIRST_BYTES_S: Final = 0.02
# What is read of a client that nobody carries yet; the kernel keeps the rest.
UNCARRIED_BYTES: Final = 64 * 1024
# The kernel keeps a few megabytes for the client besides; this only has to bridge a turn.
WRITE_HIGH_BYTES: Final = 64 * 1024
# After our FIN the client gets this long to read the rest before the socket goes.
LINGER_S: Final = 5.0
# A client that closed looks like one that half-closed for a moment: ask again.
GONE_CHECKS_S: Final = (0.0, 0.02, 0.1, 0.5)

_RST_ON_CLOSE = struct.pack("ii", 1, 0)


class Carrier(Protocol):
    """Who carries a connection's bytes once a route has taken it."""

    def client_sent(self, payload: bytes) -> None: ...

    def client_finished(self) -> None:
        """The client half-closed: it may still read."""

    def client_gone(self, is_reset: bool) -> None:
        """Nobody is there any more; the connection is closed already or about to be."""

    def client_stalled(self) -> None:
        """The client does not read fast enough: stop what comes for it."""

    def client_reads_again(self) -> None: ...


class LocalConnection(asyncio.Protocol):
    """asyncio's protocol for an accepted socket; callers see its verbs, never its transport."""

    is_probe = False

    def __init__(self, admission: Admission, counters: ForwardCounters) -> None:
        self.sent: list[bytes] = []  # by the client, and carried by nobody yet
        self.has_finished = False  # the client said its last byte
        self.is_closed = False
        self.opened_at = 0.0
        self._admission = admission
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._carrier: Carrier | None = None
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._is_admitted = False
        self._is_ending = False
        self._gone_checks = 0

    # For routes and forwards.

    @property
    def first_bytes(self) -> bytes:
        return b"".join(self.sent)

    @property
    def is_done(self) -> bool:
        """The client was told the end, and the kernel has all that leads up to it."""
        return self._is_ending and self._transport.get_write_buffer_size() == 0

    def attach(self, carrier: Carrier) -> None:
        """Let a carrier have the bytes from here on; what is in `sent` is the carrier's to take."""
        self._carrier = carrier
        self.resume_reading()

    def give_back(self, cause: LlmgwError) -> None:
        """Nobody received a byte of it: let the forward decide again. `sent` must be whole."""
        self._carrier = None
        if self.is_closed:
            return
        self._pause_when_full()
        self._admission.admit(self, cause)

    def write(self, payload: bytes) -> None:
        self._counters.received_bytes += len(payload)
        self._transport.write(payload)

    def unread_bytes(self) -> int:
        """Return what waits for the client here and, where it tells, in the kernel."""
        unread = self._transport.get_write_buffer_size()
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            # Not on macOS: there a socket knows no such call.
            queued = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
            unread += int.from_bytes(queued, sys.byteorder)
        return unread

    def write_eof(self) -> None:
        """Say the last byte; go once the client has said its own, or has had time to read."""
        if self.is_closed or self._is_ending:
            return
        self._is_ending = True
        self._stop_timer()
        if self.has_finished or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        # Closing at once would reset the client if it is still sending, and with it the answer.
        self._timer = self._loop.call_later(LINGER_S, self._transport.close)
        self.resume_reading()

    def answer(self, response: bytes | None) -> None:
        """Say these bytes (if any) and close."""
        if response:
            self._transport.write(response)
        self.write_eof()

    def abort(self) -> None:
        """Close with a reset, so that the client cannot take what it has for the whole answer."""
        if self.is_closed:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        self._transport.abort()

    def pause_reading(self) -> None:
        if not (self._is_ending or self.has_finished or self.is_closed):
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        # Past the client's FIN there is nothing to read, and asyncio would tell it again.
        if not (self.has_finished or self.is_closed):
            self._transport.resume_reading()

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        self.opened_at = self._loop.time()
        self._counters.connections += 1
        self._timer = self._loop.call_later(FIRST_BYTES_S, self._admit)

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            return
        self._counters.sent_bytes += len(data)
        if self._carrier is not None:
            self._carrier.client_sent(data)
            return
        self.sent.append(data)
        self._pause_when_full()
        if not self._is_admitted:
            self._admit()

    def eof_received(self) -> bool:
        """Keep our half open: an answer may still come (or, while held, be wanted)."""
        self.has_finished = True
        if self._is_ending:
            return False
        if not self._is_admitted:
            self._admit()
        if self._carrier is not None:
            self._carrier.client_finished()
        self._gone_checks = 0
        self._look_whether_gone()
        return True

    def pause_writing(self) -> None:
        if self._carrier is not None:
            self._carrier.client_stalled()

    def resume_writing(self) -> None:
        if self._carrier is not None:
            self._carrier.client_reads_again()

    def connection_lost(self, exc: Exception | None) -> None:
        carrier, self._carrier = self._carrier, None
        self._close_books()
        if carrier is not None:
            carrier.client_gone(is_reset=exc is not None)

    # Inside.

    def _admit(self) -> None:
        self._stop_timer()
        if self._is_admitted or self.is_closed:
            return
        self._is_admitted = True
        self._admission.admit(self, None)

    def _pause_when_full(self) -> None:
        if sum(map(len, self.sent)) >= UNCARRIED_BYTES:
            self.pause_reading()

    def _look_whether_gone(self) -> None:
        """Tell a client that closed from one that half-closed, where the system can tell."""
        self._timer = None
        if self.is_closed or self._is_ending:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and is_peer_gone(sock):
            self._transport.abort()
            return
        delay_s = GONE_CHECKS_S[min(self._gone_checks, len(GONE_CHECKS_S) - 1)]
        self._gone_checks += 1
        self._timer = self._loop.call_later(delay_s, self._look_whether_gone)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_books(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._stop_timer()
            self._admission.closed(self)
