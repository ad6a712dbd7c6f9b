"""The Kubernetes library's client over connections of ours: what it needs of an aiohttp session.

Each request's connection comes from `Dialer.dial`, so that proxies, tls-server-name and TLS
sessions are honoured as for upgrades, and connections are not limited in number: a watch or a
followed log can never starve a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import anyio

from llmgwctl import __version__
from llmgwd.cluster.kubernetes_library import ApiClient, RESTClientObject
from llmgwd.net.tls import ResumingContext
from llmgwd.system.lean_aiohttp import aiohttp

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.tracing import Trace

    from llmgwd.cluster.auth.credentials import Credential
    from llmgwd.cluster.tls import ClusterTls
    from llmgwd.net.dial import Dialer

DIAL_S: Final = 10.0
# Closing a session waits for each connection's end; on a dead path the peer says no goodbye.
_SHUTDOWN_S: Final = 0.2

# Which credential the request that this task is making was sent with.
sent_with: ContextVar[Credential] = ContextVar("sent_with")


class LibraryClient(ApiClient):
    """The library's client over our session.

    Not by its own `__init__`: that opens a session of its own and reads the system's authorities,
    which blocks the loop for 30 ms. A test holds that no attribute is missing.
    """

    def __init__(self, configuration: Any, session: LibrarySession) -> None:
        self.configuration = configuration
        self.pool_threads = 1
        self.rest_client = _RestClient(session)
        self.default_headers = {"User-Agent": f"llmgwd/{__version__}"}
        self.cookie = ""
        self.client_side_validation = configuration.client_side_validation


class _RestClient(RESTClientObject):
    def __init__(self, session: LibrarySession) -> None:
        self.pool_manager = cast("aiohttp.ClientSession", session)
        # All three are the dialer's.
        self.proxy, self.proxy_headers, self.server_hostname = "", {}, ""


class LibrarySession:
    """What the library needs of an aiohttp session, with what it would leave out."""

    def __init__(
        self, dialer: Dialer, tls: ClusterTls, impersonation: Sequence[tuple[str, str]]
    ) -> None:
        self._tls = tls
        # Not among the library's headers: it holds one for each name.
        self._impersonation = impersonation
        self._session = aiohttp.ClientSession(
            connector=_Connector(dialer, tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
        )

    @property
    def is_closed(self) -> bool:
        return self._session.closed

    async def request(
        self, *, headers: Mapping[str, str | None], **arguments: Any
    ) -> aiohttp.ClientResponse:
        return await self._session.request(
            **arguments,
            # A login by certificate has no Authorization; the library sends None for it.
            headers=[
                *((name, value) for name, value in headers.items() if value is not None),
                *self._impersonation,
            ],
            # Part of the key under which connections are kept: another certificate or another
            # trust is another connection.
            ssl=self._tls.context(sent_with.get()) or True,
            allow_redirects=False,  # a credential goes to the server it is for
        )

    async def close(self) -> None:
        await self._session.close()


class _Connector(aiohttp.BaseConnector):
    """Lets aiohttp keep connections that `Dialer.dial` made."""

    def __init__(self, dialer: Dialer, tls: ClusterTls) -> None:
        self._dialer, self._tls = dialer, tls
        super().__init__(limit=0, keepalive_timeout=30)

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        tls = req.ssl if isinstance(req.ssl, ResumingContext) else None
        with anyio.fail_after(DIAL_S):
            dialer = replace(self._tls.armed(self._dialer, sent_with.get()), tls=tls)
            _, protocol = await dialer.dial(self._factory, _SHUTDOWN_S)
        return protocol
