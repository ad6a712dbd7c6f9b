"""The local addresses of one forward: bound as soon as they can be, and what keeps one from it."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import anyio
import anyio.to_thread

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.listening.allowed_users import allowed_users
from llmgwd.listening.listener import Listener
from llmgwd.system.port_owner import port_owner, remedy_for_taken
from llmgwd.system.process.descriptors import exhausted, is_exhaustion
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    import socket

    from llmgwd.config.model import Allow, ForwardConfig, ListenAddress
    from llmgwd.relay.connections import Keep
    from llmgwd.relay.context import RelayContext
    from llmgwd.service.kept_connections import KeptConnections

# A port that another program holds is taken over as soon as it is free, and nothing reports that.
RETRY_S: Final = 1.0
# Of an address that the machine has not, while others serve: IPv6 may be switched on one day.
ABSENT_RETRY_S: Final = 30.0
# Looking for the owner reads much of /proc.
LOOK_AGAIN_TRIES: Final = 10

_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Sockets(Protocol):
    """Where listening sockets come from: bound early, handed over by the system, or bound now.

    `kept`: the connections that the system keeps from one daemon to the next, if it does.
    """

    @property
    def kept(self) -> KeptConnections: ...

    def open(self, address: ListenAddress) -> socket.socket:
        """Raises OSError as `bind` does."""

    def keeps(self, address: ListenAddress) -> bool:
        """Say that the system listens there whatever we do: somebody has to answer."""


class Listeners:
    """Accepts on every wanted address that can be had; `changed` is told when that changes."""

    def __init__(
        self,
        forward: ForwardConfig,
        sockets: Sockets,
        context: RelayContext,
        note_refusal: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.tried = anyio.Event()  # everything was tried once
        self._forward = forward.name
        self._wanted = tuple(forward.listen)
        self._sockets = sockets
        self._listener = Listener(context, allowed_users(forward.allow), note_refusal)
        self._changed = changed
        self._open: dict[ListenAddress, socket.socket] = {}
        self._problems: dict[ListenAddress, LlmgwError] = {}
        self._tries: dict[ListenAddress, int] = {}
        self._is_shut = False
        self._wakeup = Wakeup()

    @property
    def wanted(self) -> tuple[ListenAddress, ...]:
        return self._wanted

    @property
    def bound(self) -> tuple[ListenAddress, ...]:
        return tuple(address for address in self._wanted if address in self._open)

    @property
    def problems(self) -> tuple[LlmgwError, ...]:
        return tuple(self._problems.values())

    @property
    def is_peer_unknown(self) -> bool:
        """The system does not tell whose a connection is: anyone on this machine may connect."""
        return self._listener.is_peer_unknown

    def reconfigure(self, wanted: Iterable[ListenAddress], allow: Allow) -> None:
        """Listen on these from now on, for these users; sockets of those that stay go on."""
        self._listener.allow(allowed_users(allow))
        self._wanted = tuple(wanted)
        for address in [each for each in self._open if each not in self._wanted]:
            self._close(address)
        self._problems = {k: v for k, v in self._problems.items() if k in self._wanted}
        self._wakeup.set()

    @property
    def keep(self) -> Keep | None:
        """What takes connections for the next daemon; None: nothing does."""
        kept = self._sockets.kept
        return partial(kept.keep, self._forward) if kept.can_keep else None

    async def open(self) -> None:
        """Bind what can be bound now, and say what cannot."""
        self._is_shut = False
        await self._open_missing()
        self._wakeup.set()

    async def _open_missing(self) -> None:
        for address in self._wanted:
            if address not in self._open:
                await self._try(address)
        self._take_over()
        self.tried.set()

    async def run(self) -> NoReturn:
        """Keep trying for what is missing, until cancelled; then nothing is accepted any more."""
        try:
            while True:
                if not self._is_shut:
                    await self._open_missing()
                await self._wakeup.wait(self._retry_s())
        finally:
            self.shut(keep_handed_over=False)

    def _retry_s(self) -> float:
        if self._is_shut or len(self.bound) == len(self._wanted):
            return math.inf
        return RETRY_S if self._problems else ABSENT_RETRY_S

    async def welcomed(self) -> None:
        """Return when all connections that were accepted are among the relay's."""
        await self._listener.welcomed()

    def shut(self, *, keep_handed_over: bool) -> None:
        """Accept no more. `keep_handed_over`: go on where the system would let clients hang."""
        self._is_shut = True
        self._problems.clear()
        for address in list(self._open):
            if not (keep_handed_over and self._sockets.keeps(address)):
                self._close(address)

    def _take_over(self) -> None:
        """Serve the connections that the last daemon left, as if they had just been accepted."""
        for connection in self._sockets.kept.take(self._forward):
            if any(_came_by(connection.socket, listening) for listening in self._open.values()):
                self._listener.take_over(connection.socket, speaks_http=connection.speaks_http)
            else:
                connection.socket.close()

    async def _try(self, address: ListenAddress) -> None:
        before = self._problems.get(address)
        try:
            sock = self._sockets.open(address)
        except OSError as error:
            await self._note(address, error)
        else:
            await self._listener.serve(sock)
            self._open[address] = sock
            self._tries.pop(address, None)
            self._problems.pop(address, None)
            self._changed()
            return
        after = self._problems.get(address)
        if (before and before.message) != (after and after.message):
            self._changed()

    async def _note(self, address: ListenAddress, error: OSError) -> None:
        if error.errno in _NOT_HERE and len(self._wanted) > 1:
            # A machine without IPv6: no client can connect to ::1, and none needs to.
            return
        tries = self._tries.get(address, 0)
        self._tries[address] = tries + 1
        if tries % LOOK_AGAIN_TRIES == 0 or address not in self._problems:
            self._problems[address] = await _problem(address, error)

    def _close(self, address: ListenAddress) -> None:
        sock = self._open.pop(address)
        self._listener.close([sock])


def _came_by(connection: socket.socket, listening: socket.socket) -> bool:
    """Could the listening socket have accepted this connection?"""
    (host, port), (bound, bound_port) = (sock.getsockname()[:2] for sock in (connection, listening))
    is_same_kind = connection.family == listening.family and port == bound_port
    return is_same_kind and bound in (host, "0.0.0.0", "::")  # noqa: S104 - compared, not bound


async def _problem(address: ListenAddress, error: OSError) -> LlmgwError:
    if error.errno == errno.EADDRINUSE:
        return await _taken(address)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Blocked(
            ConditionKind.PORT_FORBIDDEN,
            f"The system does not let this user listen on {address}.",
            "Choose a port from 1024 up with listen = … in the configuration.",
        )
    if is_exhaustion(error):
        return exhausted()
    if error.errno in _NOT_HERE:
        return Transient(
            ConditionKind.ADDRESS_MISSING,
            f"This machine has no address {address.host} to listen on.",
            "Check listen = … in the configuration, or bring up the network that has it.",
        )
    return Blocked(
        ConditionKind.PORT_FORBIDDEN, f"{address} cannot be listened on: {error.strerror or error}."
    )


async def _taken(address: ListenAddress) -> LlmgwError:
    owner = await anyio.to_thread.run_sync(port_owner, address.host, address.port)
    who = "another user's program" if owner is None else str(owner)
    return Blocked(
        ConditionKind.PORT_TAKEN,
        f"{address} is taken by {who}; llmgwd takes the port over as soon as it is free.",
        remedy_for_taken(address.port, owner),
    )
