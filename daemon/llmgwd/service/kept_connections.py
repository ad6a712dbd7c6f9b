"""Idle client connections that systemd keeps from one daemon to the next (its descriptor store).

To close a kept connection loses the request that is just leaving on it. So a daemon that ends gives
its idle ones to systemd, and the next one takes them: the client notices nothing, and what it sends
meanwhile waits in the kernel. systemd keeps them through a restart, not through a stop.

Nothing of an idle connection is in the process, so a name says all that the next daemon must know:
the forward, and whether the client has spoken HTTP. A daemon of another version may mean something
else by its names; what it left is closed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Sequence

    from llmgwd.service.notify import Notifier

_PREFIX: Final = "llmgw-kept-"
_VERSION: Final = "1"
_NAME: Final = re.compile(_PREFIX + _VERSION + r"-(http|new)-([A-Za-z0-9._-]+)")
# The kernel passes 253 with one message (SCM_MAX_FD).
_TOGETHER: Final = 200


class KeptConnection(NamedTuple):
    """`speaks_http`: the client had an answer on it; else it was opened ahead, and not a byte has
    come.
    """

    socket: socket.socket
    speaks_http: bool


class KeptConnections:
    """`found` are the sockets that the last daemon left, with the names it gave them.

    systemd closes what is above its limit for the unit, so it is not given more.
    """

    def __init__(self, notifier: Notifier, found: Iterable[tuple[str, socket.socket]] = ()) -> None:
        self._notifier = notifier
        self._left = notifier.keeps
        self._found: dict[str, list[socket.socket]] = {}
        for name, sock in found:
            self._found.setdefault(name, []).append(sock)

    @property
    def can_keep(self) -> bool:
        return self._left > 0

    def keep(self, forward: str, speaks_http: bool, sockets: Sequence[socket.socket]) -> int:
        """Give sockets to systemd; say how many it has, from the first: those are to be closed."""
        name = f"{_PREFIX}{_VERSION}-{'http' if speaks_http else 'new'}-{forward}"
        kept = 0
        while kept < len(sockets) and self._left > 0:
            some = sockets[kept : kept + min(_TOGETHER, self._left)]
            if not self._notifier.keep(name, some):
                break
            kept += len(some)
            self._left -= len(some)
        return kept

    def take(self, forward: str) -> list[KeptConnection]:
        """Give what was left of a forward, which is the caller's from here on."""
        taken: list[KeptConnection] = []
        for name in list(self._found):
            match = _NAME.fullmatch(name)
            if match is not None and match[2] == forward:
                taken += [KeptConnection(sock, match[1] == "http") for sock in self._forget(name)]
        return taken

    def close_rest(self) -> None:
        """Close what no forward took."""
        for name in list(self._found):
            for sock in self._forget(name):
                sock.close()

    def _forget(self, name: str) -> list[socket.socket]:
        # Not before someone serves them: a daemon that dies in its start leaves them to the next.
        # Not later: closed by us, they would stay open to their clients as long as systemd has one.
        self._notifier.forget(name)
        return self._found.pop(name)


def is_kept(name: str) -> bool:
    """Was a descriptor of this name left by a daemon, of whatever version?"""
    return name.startswith(_PREFIX)
