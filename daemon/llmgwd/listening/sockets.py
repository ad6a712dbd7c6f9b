"""Where sockets come from: bound at the very start, handed over, or bound when wanted.

Standard library only, because the ports come before everything that is slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwd.listening.listener import bind

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from llmgwd.config.model import ListenAddress
    from llmgwd.service.activation import Inherited
    from llmgwd.service.kept_connections import KeptConnections


class ProcessSockets:
    """The sockets of this process; `inherited` are those the service manager listens on, `kept` the
    connections it keeps from one daemon to the next, if it does.
    """

    def __init__(self, inherited: Inherited, kept: KeptConnections) -> None:
        self.kept = kept
        self._inherited = inherited
        self._early: dict[ListenAddress, socket.socket] = {}

    def bind_early(self, addresses: Iterable[ListenAddress]) -> None:
        """Bind what can be bound; what cannot is tried, and told, when its forward runs."""
        for address in addresses:
            try:
                self._early[address] = self.open(address)
            except OSError:
                continue

    def open(self, address: ListenAddress) -> socket.socket:
        """Give a listening socket, which is the caller's to close; raises OSError as `bind`."""
        early = self._early.pop(address, None)
        return early or self._inherited.take(address) or bind(address)

    def keeps(self, address: ListenAddress) -> bool:
        """Say that the service manager listens there, whether we do or not."""
        return (address.host, address.port) in self._inherited.addresses

    def unwanted(self, wanted: Iterable[ListenAddress]) -> tuple[tuple[str, int], ...]:
        """Give the addresses handed over to us that no forward is configured for."""
        return self._inherited.unwanted(wanted)
