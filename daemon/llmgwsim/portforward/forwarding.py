"""One forwarded connection on the node: containerd's copy between a client's stream and a pod.

containerd copies both ways; when either direction ends it gives the other one second, then closes
both. It never half-closes towards the program, so a program never learns that only its client's
sending side is done.

Kept connections meet that second. A gateway closes one that was idle for 5 s; its client learns it
1.00 s later, and what it sends meanwhile is taken, goes to a closed socket, and is lost without an
error: the kernel's reset comes back to containerd, which no longer reads. A second write fails, and
with it the other direction is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Protocol, cast

from llmgwsim.net.network import buffers

if TYPE_CHECKING:
    from llmgwsim.world.pod import Pod

# containerd, sandbox_portforward_linux.go: "give a chance to terminate gracefully".
LINGER_S = 1.0
# What is buffered for a program that does not read, before its client must wait. Above one
# reading: uvloop writes at the end of its turn, and would pause for nothing.
_WRITE_HIGH_BYTES = 512 * 1024
_READ_BYTES = 32 * 1024


class DialFailed(Exception):
    """The pod's port was not reached; the text is what containerd says."""


class ClientStream(Protocol):
    """The client's end of a forwarding."""

    def pod_sent(self, piece: memoryview) -> None: ...
    def pod_takes_more(self) -> None: ...
    def forwarding_ended(self, was_reset: bool) -> None: ...


class Forwarding(asyncio.BufferedProtocol):
    """A connection to a pod's program, copied to and from `stream` by containerd's rules."""

    def __init__(self, stream: ClientStream) -> None:
        self._stream = stream
        self._transport: asyncio.Transport | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._is_reading_paused = False
        self._is_write_blocked = False
        self._is_client_ended = False
        self._is_client_deaf = False
        self._is_pod_ended = False
        self._was_reset = False
        self.is_finished = False

    @property
    def takes_more(self) -> bool:
        return self._transport is not None and not self._is_write_blocked

    async def dial(self, pod: Pod | None, port: int, name: str) -> None:
        """Connect to the pod's port.

        Raises:
            DialFailed: nothing listens there.
        """
        if pod is None or pod.gone.is_set():
            raise DialFailed(f'failed to find sandbox "{name}" in store: not found')
        address = pod.program.address(port) if pod.program and not pod.refuses_dials else None
        if address is None:
            raise DialFailed(_refused(pod, port))
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, *address)
        except OSError as error:
            raise DialFailed(_refused(pod, port)) from error

    # The client's side

    def write(self, piece: bytes) -> None:
        if self._transport is None or self.is_finished:
            return
        if self._transport.is_closing():
            # The program's reset came before: writing fails, so this direction ends as well.
            self.client_ended()
        else:
            self._transport.write(piece)

    def client_ended(self) -> None:
        """The client sends no more; it may still read, for as long as containerd lets it."""
        if not self._is_client_ended:
            self._is_client_ended = True
            self._one_direction_ended()

    def client_gone(self) -> None:
        """The client neither sends nor reads: the next byte from the pod ends the copying."""
        self._is_client_deaf = True
        self.client_ended()
        if self._is_reading_paused:
            self.pause_reading(False)

    def pause_reading(self, is_paused: bool) -> None:
        self._is_reading_paused = is_paused
        if self._transport is None or self._transport.is_closing():
            return
        if is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # The pod's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        opened = self._transport = cast("asyncio.Transport", transport)
        opened.set_write_buffer_limits(high=_WRITE_HIGH_BYTES)
        if self.is_finished:
            opened.abort()
            return
        if self._is_reading_paused:
            opened.pause_reading()
        # After the caller of `dial` has gone on.
        asyncio.get_running_loop().call_soon(self._stream.pod_takes_more)

    def get_buffer(self, sizehint: int) -> bytearray:
        return buffers.pod

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_client_deaf:
            self._pod_ended()
        else:
            self._stream.pod_sent(memoryview(buffers.pod)[:nbytes])

    def eof_received(self) -> bool:
        self._pod_ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._was_reset = self._was_reset or exc is not None
        self._is_write_blocked = False
        if exc is not None and not self._is_pod_ended and not self._is_client_deaf:
            self._read_on()
        if self._is_pod_ended and exc is not None:
            # After the program's end only a write can fail: neither direction is left.
            self.finish()
        else:
            self._pod_ended()
        self._stream.pod_takes_more()

    def _read_on(self) -> None:
        """A write failed, and asyncio reads no more; containerd reads in a goroutine of its own, to
        which the kernel still gives what came before the program's reset.
        """
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is None:
            return
        with contextlib.suppress(OSError):
            while piece := os.read(sock.fileno(), _READ_BYTES):
                self._stream.pod_sent(memoryview(piece))

    def pause_writing(self) -> None:
        self._is_write_blocked = True

    def resume_writing(self) -> None:
        self._is_write_blocked = False
        self._stream.pod_takes_more()

    # containerd's rule

    def _pod_ended(self) -> None:
        if not self._is_pod_ended:
            self._is_pod_ended = True
            self._one_direction_ended()

    def _one_direction_ended(self) -> None:
        if self.is_finished:
            return
        if self._is_client_ended and self._is_pod_ended:
            self.finish()
        elif self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self.finish)

    def finish(self) -> None:
        """Close both sides now."""
        if self.is_finished:
            return
        self.is_finished = True
        if self._linger is not None:
            self._linger.cancel()
        if self._transport is not None:
            self._transport.close()
        self._stream.forwarding_ended(self._was_reset)


def _refused(pod: Pod, port: int) -> str:
    sandbox = pod.uid.replace("-", "")
    return (
        f'failed to execute portforward in network namespace "/var/run/netns/cni-{pod.uid}": '
        f'failed to connect to localhost:{port} inside namespace "{sandbox}", '
        f"IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused "
        f"IPv6 dial tcp6 [::1]:{port}: connect: connection refused "
    )
