"""HTTP requests to the API server: the only importer of aiohttp here, and of its errors.

Connections come from `Dialer.dial`, not from aiohttp's own connector, and are not limited in
number: a watch or a followed log can never starve a request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
from yarl import URL

from llmgwctl import __version__
from llmgwctl.wire import ConditionKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.net.dial import Dialer, reason
from llmgwd.net.tls import ResumingContext

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.tracing import Trace

# A caller has scopes of its own; these only keep a forgotten one from waiting for ever.
DIAL_S = 10.0
_REQUEST_S = 30.0
# Closing a session waits for each connection's end; on a dead path the peer says no goodbye.
_SHUTDOWN_S = 0.2
# An object in etcd is at most 1.5 MiB; a line of a log has no limit of its own.
_MAX_LINE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Rest:
    """A session with one API server. `tls` of a request is the context its connection needs."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._session = aiohttp.ClientSession(
            connector=_Connector(dialer),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", "User-Agent": f"llmgwd/{__version__}"},
        )

    async def call(
        self,
        tls: ResumingContext | None,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Any = None,
    ) -> Answer:
        """Make a request and read its answer whole, whatever its status.

        Raises:
            Transient: no answer. Blocked: the server is not trusted.
        """
        timeout = aiohttp.ClientTimeout(total=_REQUEST_S)
        async with self._request(tls, method, path, query, headers, timeout, body) as response:
            return Answer(response.status, response.headers, await response.read())

    @asynccontextmanager
    async def stream(
        self,
        tls: ResumingContext | None,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        read_timeout_s: float,
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """Open an answer that goes on; its body is in the Answer only where it is no success."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=read_timeout_s)
        async with self._request(tls, "GET", path, query, headers, timeout) as response:
            body = b"" if response.status < 300 else await response.read()
            yield Answer(response.status, response.headers, body), self._lines(response)

    async def close(self) -> None:
        await self._session.close()

    @asynccontextmanager
    async def _request(
        self,
        tls: ResumingContext | None,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        body: Any = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session.closed:
            # Whoever still holds this access will be given the one that replaced it.
            raise Transient(
                ConditionKind.API_SERVER_UNREACHABLE, "the kubeconfig was read anew meanwhile"
            )
        url = URL(f"{self._dialer.server}{path}").update_query(query)
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                json=body,
                timeout=timeout,
                # Part of the key under which connections are kept: another certificate or
                # another trust is another connection.
                ssl=tls or True,
                allow_redirects=False,  # a credential goes to the server it is for
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(self._dialer, error) from error

    async def _lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Cut the body into lines; aiohttp's own readline has a limit below an object's size."""
        rest = bytearray()
        async for chunk in response.content.iter_any():
            rest += chunk
            if b"\n" in chunk:
                *whole, tail = rest.split(b"\n")
                rest = bytearray(tail)
                for text in whole:
                    yield bytes(text)
            elif len(rest) > _MAX_LINE_BYTES:
                raise Transient(
                    ConditionKind.API_SERVER_FAILING,
                    f"{self._dialer.server.authority} sent a line above {_MAX_LINE_BYTES} bytes",
                )
        if rest:
            yield bytes(rest)


class _Connector(aiohttp.BaseConnector):
    """Lets aiohttp keep connections that `Dialer.dial` made."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        super().__init__(limit=0, keepalive_timeout=30)

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        tls = req.ssl if isinstance(req.ssl, ResumingContext) else None
        with anyio.fail_after(DIAL_S):
            _, protocol = await replace(self._dialer, tls=tls).dial(self._factory, _SHUTDOWN_S)
        return protocol


def _unreachable(dialer: Dialer, error: Exception) -> LlmgwError:
    words = "no answer in time" if isinstance(error, TimeoutError) else reason(error)
    return Transient(
        ConditionKind.API_SERVER_UNREACHABLE,
        f"the API server {dialer.server.authority} went away: {words}",
        "is the network (VPN) up?",
    )
