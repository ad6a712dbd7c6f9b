"""One local client's socket, from accept to close: HTTP, raw, or not yet known which.

It knows bytes and ends, not what they mean: its user does.
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

from llmgwd.system.peer_socket import is_peer_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.relay.context import RelayContext

# The kernel keeps a few megabytes for the client besides; this only has to bridge a turn.
WRITE_HIGH_BYTES: Final = 64 * 1024
# A request's head, and a body of usual length.
EARLY_BYTES: Final = 64 * 1024
# After our FIN the client gets this long to read the rest before the socket goes.
LINGER_S: Final = 5.0
# A client that closed looks like one that half-closed for a moment: ask again.
GONE_CHECKS_S: Final = (0.0, 0.02, 0.1, 0.5)

_RST_ON_CLOSE = struct.pack("ii", 1, 0)


class ConnectionUser(Protocol):
    """Who takes a connection's bytes. Calls come from the event loop and must return at once."""

    def client_sent(self, payload: bytes) -> None: ...

    def client_finished(self) -> None:
        """The client half-closed: it may still read."""

    def client_gone(self, is_reset: bool) -> None:
        """The connection is closed; called once, and nothing after it."""

    def client_stalled(self) -> None:
        """The client does not read fast enough: stop what comes for it."""

    def client_reads_again(self) -> None: ...


class LocalConnection(asyncio.Protocol):
    """asyncio's protocol for an accepted socket; its user sees its verbs, never its transport."""

    def __init__(
        self,
        context: RelayContext,
        first_user: Callable[[LocalConnection], ConnectionUser],
        accepted: socket.socket,
    ) -> None:
        self.has_finished = False  # the client said its last byte
        self.is_closed = False
        self.is_stalled = False
        self._context = context
        self._first_user = first_user
        self._accepted = accepted  # asyncio's own view of it allows no reading
        self._loop = asyncio.get_running_loop()
        self._user: ConnectionUser
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._is_ending = False
        self._gone_checks = 0

    # For its user.

    def hand_over(self, user: ConnectionUser) -> None:
        """Let another have the bytes from here on."""
        self._user = user

    @property
    def has_unwritten(self) -> bool:
        return not self.is_closed and self._transport.get_write_buffer_size() > 0

    def has_unread_input(self) -> bool:
        """Has the kernel bytes of the client that were not handed over yet?"""
        try:
            return bool(self._accepted.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    def write(self, payload: bytes) -> None:
        self._context.counters.received_bytes += len(payload)
        self._transport.write(payload)

    def unread_bytes(self) -> int:
        """Return what waits for the client here and, where it can be asked, in the kernel."""
        unread = self._transport.get_write_buffer_size()
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            # Not on macOS: there a socket knows no such call.
            queued = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
            unread += int.from_bytes(queued, sys.byteorder)
        return unread

    @property
    def quiet_socket(self) -> socket.socket | None:
        """Its socket, if neither side has begun to close it and nothing written waits here."""
        is_quiet = not (self._is_ending or self.has_finished or self.has_unwritten)
        return self.socket if is_quiet else None

    @property
    def socket(self) -> socket.socket | None:
        """For questions about it; None once it is closed."""
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        return None if self.is_closed else sock

    def write_eof(self) -> None:
        """Say the last byte; go once the client has said its own, or has had time to read."""
        if self.is_closed or self._is_ending:
            return
        self._is_ending = True
        self._stop_timer()
        if self.has_finished or not self._transport.can_write_eof():
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:
            # Its reset is not noticed while nothing is read.
            self._transport.abort()
            return
        # Closing at once would reset the client if it is still sending, and with it the answer.
        self._timer = self._loop.call_later(LINGER_S, self._transport.close)
        self.resume_reading()

    def close(self) -> None:
        """Close at once; only for a client that waits for nothing."""
        if not self.is_closed:
            self._is_ending = True
            self._stop_timer()
            self._transport.close()

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
        self._context.counters.connections += 1
        self._context.connections.opened(self)
        self._user = self._first_user(self)
        self._read_early()

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            return
        self._context.counters.sent_bytes += len(data)
        self._user.client_sent(data)

    def eof_received(self) -> bool:
        """Keep our half open: an answer may still come (or, while held, be wanted)."""
        self.has_finished = True
        if self._is_ending:
            return False
        self._user.client_finished()
        if self._is_ending or self.is_closed:
            return False
        self._gone_checks = 0
        self._look_whether_gone()
        return True

    def pause_writing(self) -> None:
        self.is_stalled = True
        self._user.client_stalled()

    def resume_writing(self) -> None:
        self.is_stalled = False
        self._user.client_reads_again()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._stop_timer()
        self._context.connections.closed(self)
        self._user.client_gone(exc is not None)

    # Inside.

    def _read_early(self) -> None:
        """Take what the client has sent already; asyncio would wait for two turns of the loop."""
        try:
            early = self._accepted.recv(EARLY_BYTES)
        except OSError:
            # Nothing has come, or what asyncio will find, too.
            return
        if early:
            self.data_received(early)

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
