"""Metrics on a TCP port of this machine, for a Prometheus that cannot read a Unix socket.

Open to every user of this machine: it holds numbers and names, and nothing to act on.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final, NoReturn

import anyio
import structlog

from llmgwd.config.address import family
from llmgwd.control.api import ControlServer
from llmgwd.control.metrics import ENDPOINTS

if TYPE_CHECKING:
    from llmgwd.config.model import ListenAddress
    from llmgwd.control.daemon import Daemon

# Another program's port may come free, and nothing reports that.
AGAIN_S: Final = 10.0

_log = structlog.get_logger()


async def offer_metrics(daemon: Daemon, address: ListenAddress) -> NoReturn:
    """Serve until cancelled; a port that cannot be had is tried again, and reported once."""
    server = _MetricsServer(daemon, ENDPOINTS)
    has_failed = False
    while True:
        try:
            listener = _listen(address)
        except OSError as error:
            if not has_failed:
                _log.warning("no metrics port", address=str(address), reason=error.strerror)
            has_failed = True
            await anyio.sleep(AGAIN_S)
        else:
            await server.run_on(listener)


def _listen(address: ListenAddress) -> socket.socket:
    return socket.create_server((address.host, address.port), family=family(address.host))


class _MetricsServer(ControlServer):
    async def run_on(self, listener: socket.socket) -> NoReturn:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self, sock=listener)
        try:
            async with self.closing():
                await anyio.sleep_forever()
        finally:
            server.close()
        raise AssertionError("unreachable")

    def refusal_of(self, connection: socket.socket) -> bytes | None:
        return self.no_room()
