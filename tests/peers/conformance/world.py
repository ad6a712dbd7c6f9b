"""One simulated cluster with several doors: other certificates, plain HTTP, proxies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio.from_thread import start_blocking_portal

from llmgwsim.api.server import ApiServer
from llmgwsim.cluster import SimulatedCluster
from llmgwsim.net.http1 import Connections, HttpConnection
from peers.conformance import pki
from peers.conformance.services import add_services
from support.scripted_api import http_proxy, socks_proxy

if TYPE_CHECKING:
    from llmgwsim.api.auth.callers import Caller
    from llmgwsim.api.rest import Api
    from llmgwsim.net.request import Request
    from llmgwsim.net.tls import Identity

_PREFIX = "/k8s/clusters/c-1"


@dataclass
class World:
    """The cluster, its doors' URLs and authorities (PEM), and its proxies' URLs."""

    cluster: SimulatedCluster
    urls: dict[str, str]
    authorities: dict[str, bytes]
    proxies: dict[str, str]
    client: Identity
    client_of_middle: Identity  # for the door "clients of another", with its chain

    @property
    def token(self) -> str:
        return self.cluster.token

    def take_seen(self) -> Caller | None:
        """Who asked last since this was called before; None: no one whom the server knows."""
        seen = self.cluster.api.callers.seen
        last = seen[-1] if seen else None
        seen.clear()
        return last

    def door(self, name: str = "main", **changes: Any) -> dict[str, Any]:
        """A cluster entry; None in `changes` leaves a key out."""
        entry: dict[str, Any] = {
            "server": self.urls[name],
            "certificate-authority-data": coded(self.authorities[name]),
        }
        return without_none(entry | {key.replace("_", "-"): v for key, v in changes.items()})


@dataclass
class _Prefixed:
    """The API behind a path, as a management server gives it."""

    api: Api

    async def serve(self, request: Request) -> None:
        if not request.path.startswith(_PREFIX):
            request.respond_json(404, {"message": "no such cluster"})
            return
        request.path = request.path.removeprefix(_PREFIX)
        await self.api.serve(request)


def document(
    cluster: Mapping[str, Any], user: Mapping[str, Any], name: object = "c", **top: Any
) -> dict[str, Any]:
    """A kubeconfig of one context."""
    place = {"cluster": name, "user": name}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": dict(cluster)}],
        "users": [{"name": name, "user": dict(user)}],
        "contexts": [{"name": name, "context": place}],
        "current-context": name,
    } | top


def coded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def without_none(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


@contextlib.contextmanager
def world_in_thread() -> Iterator[World]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_world()) as world:
        yield world


@asynccontextmanager
async def _world() -> AsyncIterator[World]:
    async with SimulatedCluster() as cluster, contextlib.AsyncExitStack() as stack:
        own = cluster.authority
        await add_services(cluster.world)
        for user in ("jane", "Jörg", "机器"):
            cluster.access.rules[user] = cluster.access.rules["demo"]
        urls, authorities = {"main": cluster.url}, {"main": own.pem}
        root = pki.signer("clients")
        middle = pki.signer("middle", root)
        of_middle = pki.server_certificate(middle, b"", pki.Leaf("demo", (), chain=[middle]))
        doors = {
            **pki.chains(own.pem),
            "clients of another": (pki.ServerCertificate(root.pem, own.server()), own.pem),
        }
        for name, (served, trusted) in doors.items():
            server = ApiServer(cluster.api, cluster.network, served, "127.0.0.1")  # type: ignore[arg-type]
            await server.start()
            stack.push_async_callback(server.close)
            urls[name] = f"https://127.0.0.1:{server.port}"
            authorities[name] = trusted
        six = ApiServer(cluster.api, cluster.network, own, "::1")
        await six.start()
        stack.push_async_callback(six.close)
        urls["v6"], authorities["v6"] = f"https://[::1]:{six.port}", own.pem
        api = _Prefixed(cluster.api)
        prefixed = ApiServer(api, cluster.network, own, "127.0.0.1")  # type: ignore[arg-type]
        await prefixed.start()
        stack.push_async_callback(prefixed.close)
        urls["a path"] = f"https://127.0.0.1:{prefixed.port}{_PREFIX}"
        authorities["a path"] = own.pem
        port = await stack.enter_async_context(_without_tls(cluster))
        urls["plain"] = f"http://127.0.0.1:{port}"
        of_cluster = _context(own.server())
        stranger = _context(pki.server_certificate(pki.signer("other"), own.pem).server())
        plain = await stack.enter_async_context(http_proxy())
        socks = await stack.enter_async_context(socks_proxy())
        secure = await stack.enter_async_context(http_proxy(tls=of_cluster))
        strange = await stack.enter_async_context(http_proxy(tls=stranger))
        proxies = {
            "http": f"http://127.0.0.1:{plain.port}",
            "socks5": f"socks5://127.0.0.1:{socks.port}",
            "https": f"https://127.0.0.1:{secure.port}",
            "https of a stranger": f"https://127.0.0.1:{strange.port}",
        }
        client = own.client("demo", ("team", "other"))
        yield World(cluster, urls, authorities, proxies, client, of_middle.identity)


@asynccontextmanager
async def _without_tls(cluster: SimulatedCluster) -> AsyncIterator[int]:
    """The API server as `kubectl proxy` gives it: without TLS, its own login for those without."""
    connections = Connections()

    async def serve(request: Request) -> None:
        request.headers.setdefault("authorization", f"Bearer {cluster.token}")
        await cluster.api.serve(request)

    server = await asyncio.get_running_loop().create_server(
        lambda: HttpConnection(serve, connections), "127.0.0.1"
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await connections.abort()


def _context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*identity.write_pem(Path(folder), "proxy"))
    return context
