"""What is reported to the service manager: ready, how things are, that the loop turns, the end.

The sd_notify(3) datagrams, written by hand. Where no one listens (launchd, a terminal) every
method does nothing, so that callers never ask who started them.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from llmgwctl.wire import Event, Status

# The manager reads at once; one that does not for this long must not stall the loop.
SEND_TIMEOUT_S: Final = 0.5

# sd_watchdog_enabled(3) advises half of the period; a third leaves room for a machine that
# swaps.
WATCHDOG_SHARE: Final = 3

# What no event reports, such as the number of streams, may lag by this in `systemctl status`.
STATUS_EVERY_S: Final = 30.0
STATUS_TOGETHER_S: Final = 1.0


class Notifier:
    """The line to the service manager that started this process, if one did."""

    def __init__(
        self, address: str | None = None, watchdog_s: float | None = None, keeps: int = 0
    ) -> None:
        self.watchdog_s = watchdog_s if address else None
        self.keeps = keeps if address else 0  # descriptors, from this process to the next
        self._address = _path(address) if address else None
        self._status = ""

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> Notifier:
        """Read and remove the variables: an exec plugin must not speak in the daemon's name."""
        address = environ.pop("NOTIFY_SOCKET", None)
        period = watchdog_period_s(
            environ.pop("WATCHDOG_USEC", None), environ.pop("WATCHDOG_PID", None), os.getpid()
        )
        return cls(address, period, _count(environ.pop("FDSTORE", "")))

    @property
    def is_listened_to(self) -> bool:
        return self._address is not None

    def ready(self, status: str = "") -> None:
        """Say that the ports are served; also the end of what `reloading` began."""
        self._status = status or self._status
        self._send("READY=1", *_status_lines(self._status))

    def status(self, sentence: str) -> None:
        """Have `systemctl status` show the sentence; one that it shows already is not sent."""
        if sentence != self._status:
            self._status = sentence
            self._send(*_status_lines(sentence))

    def reloading(self) -> None:
        """Say that the configuration is being read; `ready` ends it."""
        # CLOCK_MONOTONIC is what time.monotonic_ns reads on Linux, where systemd is.
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> None:
        """Say that no more is accepted; what is open may still drain."""
        self._send("STOPPING=1", *_status_lines(status))

    def extend_timeout(self, seconds: float) -> None:
        """Ask for this much more time from now, while starting, draining or reloading."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def keep(self, name: str, sockets: Sequence[socket.socket]) -> bool:
        """Have the manager keep copies of these for the next process; say whether it has them."""
        return self._send("FDSTORE=1", f"FDNAME={name}", sockets=sockets)

    def forget(self, name: str) -> None:
        """Have the manager close what it keeps under this name."""
        self._send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def feed(self) -> None:
        """Keep the watchdog from killing this process for one more period."""
        self._send("WATCHDOG=1")

    async def feed_watchdog(self) -> None:
        """Feed the watchdog from the loop it guards: one that is stuck feeds nothing.

        Returns at once where the manager set no watchdog; else it ends only by cancellation.
        """
        if self.watchdog_s is None:
            return
        import anyio

        while True:
            self.feed()
            await anyio.sleep(self.watchdog_s / WATCHDOG_SHARE)

    async def keep_status(
        self,
        status: Callable[[], Status],
        subscribe: Callable[[], AbstractAsyncContextManager[AsyncIterator[Event]]],
    ) -> None:
        """Keep the sentence of `systemctl status` true: at each event, and now and then.

        Returns at once where no one listens.
        """
        if not self.is_listened_to:
            return
        import anyio

        from llmgwd.service.sentence import sentence

        while True:
            async with subscribe() as events:
                is_open = True
                while is_open:
                    self.status(sentence(status()))
                    # Events come in flocks: one sentence for each flock.
                    await anyio.sleep(STATUS_TOGETHER_S)
                    with anyio.move_on_after(STATUS_EVERY_S):
                        is_open = await anext(events, None) is not None

    def _send(self, *lines: str, sockets: Sequence[socket.socket] = ()) -> bool:
        if self._address is None or not lines:
            return False
        message = "\n".join(lines).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(SEND_TIMEOUT_S)
            try:
                sock.connect(self._address)
                socket.send_fds(sock, [message], [each.fileno() for each in sockets])
            except OSError:
                # A manager that is being restarted itself. It asks again (the watchdog, the
                # next status); a daemon that serves must not fall over it.
                self._status = ""
                return False
        return True


def watchdog_period_s(usec: str | None, pid: str | None, own_pid: int) -> float | None:
    """Read WATCHDOG_USEC and WATCHDOG_PID; None: there is no watchdog, or it is another's."""
    if usec is None or (pid is not None and pid != str(own_pid)):
        return None
    try:
        period_s = int(usec) / 1_000_000
    except ValueError:
        return None
    return period_s if period_s > 0 else None


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


def _path(address: str) -> str:
    """Turn a leading @ into the NUL of Linux's abstract names."""
    return "\0" + address[1:] if address.startswith("@") else address


def _status_lines(sentence: str) -> tuple[str, ...]:
    # A newline would end the assignment and begin another one.
    return (f"STATUS={' '.join(sentence.split())}",) if sentence else ()
