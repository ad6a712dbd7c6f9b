"""The network between a client and the simulated API server: round trips, black holes, cuts.

Every connection to the API server is a `Wire` of one `Network`; what the network does to bytes
(delay them, hold them, cut the connection) is decided here and nowhere else, below TLS, so that
the client meets it exactly as it would meet a bad network.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable

Direction = Literal["in", "out", "both"]

READ_BYTES = 256 * 1024


class _Buffers(threading.local):
    """The buffers of one thread's loop: filled and handed on in one go, so one serves them all."""

    def __init__(self) -> None:
        self.wire = bytearray(READ_BYTES)
        self.plain = memoryview(bytearray(READ_BYTES))
        self.pod = bytearray(READ_BYTES)


buffers = _Buffers()

# What is buffered for a client that does not read, before its writer is paused.
WRITE_HIGH_BYTES = 256 * 1024


class WireUser(Protocol):
    """What sits on a wire: TLS, in practice."""

    def wire_opened(self) -> None: ...
    def wire_received(self, piece: memoryview | bytes) -> None: ...
    def wire_eof(self) -> None: ...
    def wire_lost(self, error: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class DelayLine:
    """Hands pieces on in order, each after its delay, without slowing the next ones.

    While `is_held` nothing comes out; what went in stays, in order, as TCP would keep it for a
    retransmission. `None` stands for the end of the direction.
    """

    def __init__(self, deliver: Callable[[bytes | None], None]) -> None:
        self._deliver = deliver
        self._pieces: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.held_bytes = 0
        self.is_held = False

    @property
    def is_idle(self) -> bool:
        return not self._pieces and not self.is_held

    def put(self, piece: bytes | None, due: float) -> None:
        if self._pieces:
            due = max(due, self._pieces[-1][0])
        self._pieces.append((due, piece))
        self.held_bytes += len(piece or b"")
        self._schedule()

    def hold(self, is_held: bool) -> None:
        self.is_held = is_held
        self._schedule()

    def close(self) -> None:
        self._pieces.clear()
        if self._timer:
            self._timer.cancel()

    def _schedule(self) -> None:
        if self._timer is None and self._pieces and not self.is_held:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._pieces[0][0], self._release)

    def _release(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time() + 0.0005
        while self._pieces and not self.is_held and self._pieces[0][0] <= now:
            _, piece = self._pieces.popleft()
            self.held_bytes -= len(piece or b"")
            self._deliver(piece)
        self._schedule()


@dataclass(eq=False)
class Network:
    """What happens to bytes between clients and the API server; changed while connections live."""

    rtt_s: float = 0.0
    holds_new_in: bool = False
    holds_new_out: bool = False
    accepted: int = 0
    wires: set[Wire] = field(default_factory=set)

    def black_hole(self, direction: Direction, existing: bool, new: bool) -> int:
        """Let nothing through any more and close nothing; return how many connections it hit."""
        inward, outward = direction in ("in", "both"), direction in ("out", "both")
        if new:
            self.holds_new_in |= inward
            self.holds_new_out |= outward
        wires = list(self.wires) if existing else []
        for wire in wires:
            wire.hold(inward or wire.holds_in, outward or wire.holds_out)
        return len(wires)

    def restore(self) -> None:
        """Let everything through again; what was held arrives late, as retransmitted bytes do."""
        self.holds_new_in = self.holds_new_out = False
        for wire in list(self.wires):
            wire.hold(False, False)

    def cut(self, reset: bool) -> int:
        """Drop every connection at once, by FIN or by RST; return how many."""
        wires = list(self.wires)
        for wire in wires:
            wire.abort(reset)
        return len(wires)

    def end(self) -> None:
        """The server is killed."""
        for wire in list(self.wires):
            wire.end()


class Wire(asyncio.BufferedProtocol):
    """One accepted TCP connection, as the network is at present."""

    def __init__(self, network: Network, user: Callable[[Wire], WireUser]) -> None:
        self._network = network
        self._user = user(self)
        self._inward = DelayLine(self._arrive)
        self._outward = DelayLine(self._leave)
        self._opened_at = 0.0
        self._is_user_paused = False
        self._is_writing_paused = False
        self._is_over = False
        self.transport: asyncio.Transport

    @property
    def holds_in(self) -> bool:
        return self._inward.is_held

    @property
    def holds_out(self) -> bool:
        return self._outward.is_held

    # The loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        network = self._network
        network.wires.add(self)
        network.accepted += 1
        self._opened_at = asyncio.get_running_loop().time()
        self.hold(network.holds_new_in, network.holds_new_out)
        self._user.wire_opened()

    def get_buffer(self, sizehint: int) -> bytearray:
        return buffers.wire

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_over:
            return
        view = memoryview(buffers.wire)[:nbytes]
        if self._network.rtt_s == 0 and self._inward.is_idle:
            self._user.wire_received(view)
        else:
            self._inward.put(bytes(view), self._arrival())

    def eof_received(self) -> bool:
        if self._is_over:
            return True
        if self._network.rtt_s == 0 and self._inward.is_idle:
            self._user.wire_eof()
        else:
            self._inward.put(None, self._arrival())
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._network.wires.discard(self)
        self._inward.close()
        self._outward.close()
        if not self._is_over:
            self._user.wire_lost(exc)

    def pause_writing(self) -> None:
        self._user.pause_writing()

    def resume_writing(self) -> None:
        if not self._is_writing_paused:
            self._user.resume_writing()

    # The user's side

    def send(self, piece: bytes) -> None:
        if self._is_over:
            return
        if self._network.rtt_s == 0 and self._outward.is_idle:
            self.transport.write(piece)
            return
        self._outward.put(piece, asyncio.get_running_loop().time() + self._network.rtt_s / 2)
        if self._outward.is_held and self._outward.held_bytes > WRITE_HIGH_BYTES:
            self._is_writing_paused = True
            self._user.pause_writing()

    def close(self) -> None:
        """Close when everything sent has left."""
        if self._network.rtt_s == 0 and self._outward.is_idle:
            self.transport.close()
        else:
            self._outward.put(None, asyncio.get_running_loop().time() + self._network.rtt_s / 2)

    def abort(self, reset: bool = False) -> None:
        sock = self.transport.get_extra_info("socket")
        if reset and sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def pause_reading(self) -> None:
        self._is_user_paused = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self._is_user_paused = False
        if not self._inward.is_held and not self.transport.is_closing():
            self.transport.resume_reading()

    # Faults

    def end(self) -> None:
        """End the server's side; what it has sent is on its way still, and its end comes behind."""
        if self._network.rtt_s == 0 or self.holds_in or self.holds_out:
            self.abort()
            return
        self._is_over = True
        self._inward.close()
        self._outward.put(None, asyncio.get_running_loop().time() + self._network.rtt_s / 2)
        self._user.wire_lost(None)

    def hold(self, inward: bool, outward: bool) -> None:
        if self.transport.is_closing():
            return
        self._inward.hold(inward)
        self._outward.hold(outward)
        if inward:
            # The client's bytes stay in the kernel's buffers, and then in the client's.
            self.transport.pause_reading()
        elif not self._is_user_paused:
            self.transport.resume_reading()
        if not outward and self._is_writing_paused:
            self._is_writing_paused = False
            self._user.resume_writing()

    def _arrival(self) -> float:
        """When a piece that came now is there.

        Linux answers a loopback SYN by itself at once; a real one takes a round trip before the
        client may send, so what came earlier counts as sent then.
        """
        now = asyncio.get_running_loop().time()
        rtt_s = self._network.rtt_s
        return max(now, self._opened_at + rtt_s) + rtt_s / 2

    def _arrive(self, piece: bytes | None) -> None:
        if piece is None:
            self._user.wire_eof()
        else:
            self._user.wire_received(piece)

    def _leave(self, piece: bytes | None) -> None:
        if piece is None:
            self.transport.close()
        else:
            self.transport.write(piece)
