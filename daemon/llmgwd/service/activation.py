"""Sockets that were there before this process began: held by systemd, or by launchd.

Those that listen stay the manager's: this process can close its own copy of one, but never give the
port back. So an `Inherited` keeps them all for life and hands out duplicates, and a forward that is
stopped and started again, or that a reload brings back, finds its port as it left it.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from llmgwd.service.kept_connections import is_kept

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from llmgwd.config.model import ListenAddress

# SD_LISTEN_FDS_START of sd_listen_fds(3).
FIRST_DESCRIPTOR: Final = 3

# The key under Sockets in the plist; launchd hands over by name.
LAUNCHD_NAME: Final = "llmgw"


class Descriptor(NamedTuple):
    """One inherited file descriptor and the name its unit gave it (may be empty)."""

    number: int
    name: str


class Inherited:
    """The listening sockets this process was started with, by the address they listen on.

    `connections` are those that the last daemon left, with their names.
    """

    def __init__(
        self,
        sockets: Iterable[socket.socket] = (),
        connections: Iterable[tuple[str, socket.socket]] = (),
    ) -> None:
        self.connections = tuple(connections)
        self._sockets: dict[tuple[str, int], socket.socket] = {}
        for sock in sockets:
            host, port = sock.getsockname()[:2]
            self._sockets[host, port] = sock

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        return tuple(self._sockets)

    def take(self, address: ListenAddress) -> socket.socket | None:
        """Give a duplicate of the socket that listens there, which is the caller's to close.

        None: the manager does not hold that address, and it has to be bound.
        """
        sock = self._sockets.get((address.host, address.port))
        return None if sock is None else sock.dup()

    def unwanted(self, wanted: Iterable[ListenAddress]) -> tuple[tuple[str, int], ...]:
        """Give the addresses that the manager listens on though no forward wants them.

        Clients that connect there are accepted by the kernel and served by no one: the unit is
        older than the configuration, and `llmgwctl service install` writes it anew.
        """
        served = {(address.host, address.port) for address in wanted}
        return tuple(address for address in self._sockets if address not in served)


def inherit(environ: MutableMapping[str, str] = os.environ) -> Inherited:
    """Take what systemd or launchd handed over; call it once, before anything is forked.

    The variables are removed and the descriptors marked close-on-exec, so that no exec plugin
    finds them. A descriptor that is neither a listening TCP socket nor a connection that a daemon
    left is left alone.
    """
    connections: list[tuple[str, socket.socket]] = []
    sockets: list[socket.socket | None] = []
    for descriptor in from_environment(environ, os.getpid()):
        if is_kept(descriptor.name):
            connection = _tcp(descriptor.number)
            connections += [] if connection is None else [(descriptor.name, connection)]
        else:
            sockets.append(_listening(descriptor.number))
    if sys.platform == "darwin":
        from llmgwd.service.launchd import activated

        sockets += [_listening(number) for number in activated(LAUNCHD_NAME)]
    return Inherited((sock for sock in sockets if sock is not None), connections)


def from_environment(environ: MutableMapping[str, str], own_pid: int) -> tuple[Descriptor, ...]:
    """Read and remove LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES (sd_listen_fds(3)).

    Variables meant for another process, left over in an environment, give nothing.
    """
    count = environ.pop("LISTEN_FDS", "")
    pid = environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(own_pid) or not count.isdecimal():
        return ()
    names += [""] * int(count)
    return tuple(Descriptor(FIRST_DESCRIPTOR + index, names[index]) for index in range(int(count)))


def _listening(number: int) -> socket.socket | None:
    sock = _tcp(number)
    if sock is None or _listens(sock):
        return sock
    sock.detach()
    return None


def _tcp(number: int) -> socket.socket | None:
    try:
        os.set_inheritable(number, False)
        sock = socket.socket(fileno=number)
    except OSError:
        return None
    if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
        sock.setblocking(False)
        return sock
    sock.detach()
    return None


def _listens(sock: socket.socket) -> bool:
    """Say whether TCP connections can be accepted here."""
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        # macOS knows the option by name only on some versions; launchd hands over nothing else.
        return sys.platform == "darwin"
