"""Metrics on a TCP port of this machine, for a Prometheus that cannot read a Unix socket.

Open to those whom the configuration allows, and to no web page: the same rules as for a forward.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final, NoReturn

import anyio
import structlog

from llmgwd.config.address import family
from llmgwd.control.api import ControlServer
from llmgwd.control.endpoints.metrics import ENDPOINTS
from llmgwd.listening.allowed_users import Verdict, allowed_users, reset_when_closed, whose
from llmgwd.listening.refusal_report import RefusedClients
from llmgwd.net.http1_heads import Head, RequestLine
from llmgwd.relay.http.web_guard import REFUSED_PAGE, guard_of
from llmgwd.system.lean_aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.config.model import ListenAddress, MetricsConfig
    from llmgwd.control.daemon import Daemon

# Another program's port may come free, and nothing reports that.
AGAIN_S: Final = 10.0

_log = structlog.get_logger()


async def offer_metrics(
    daemon: Daemon, config: MetricsConfig, report: Callable[[int, list[str]], None]
) -> NoReturn:
    """Serve until cancelled; a port that cannot be had is tried again, and reported once.

    `report` is called with how many clients were refused, as by `RefusedClients`.
    """
    address = config.listen
    server = _MetricsServer(daemon, config, RefusedClients(report))
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
    def __init__(self, daemon: Daemon, config: MetricsConfig, refused: RefusedClients) -> None:
        super().__init__(daemon, ENDPOINTS)
        self._refused = refused
        self._allowed = allowed_users(config.allow)
        self._guard = guard_of((), (), (config.listen,))

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
        """Judge who connected: None for those who may ask; others are reset."""
        verdict, peer = self._allowed.judge_connection(connection)
        if verdict is Verdict.FOREIGN:
            if reason := whose(peer):
                self._refused.add(reason)
            reset_when_closed(connection)
            return b""
        return self.no_room()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        line = RequestLine(request.method.encode(), request.raw_path.encode(), b"1")
        trouble = self._guard.refusal(Head(b"", tuple(request.raw_headers)), line)
        if trouble is not None:
            self._refused.add(REFUSED_PAGE)
            raise web.HTTPForbidden(text=f"{trouble.sentence}\n")
        return await super()._answer(request)
