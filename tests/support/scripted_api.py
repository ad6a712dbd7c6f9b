"""An API server that answers as a test scripts it, over TLS, and proxies to reach it through.

Where the simulated cluster behaves as Kubernetes does, this one misbehaves on demand.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from llmgwsim.net.tls import Authority

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
VERSION = {"gitVersion": "v1.36.2"}
PODS = "/api/v1/namespaces/litellm/pods"
SERVICE = "/api/v1/namespaces/litellm/services/litellm"


def pod(name: str, *, is_ready: bool = True, version: str = "1") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "litellm",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "resourceVersion": version,
        },
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 4000}]}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(is_ready)}],
        },
    }


def service(port: int = 4000, **spec: Any) -> dict[str, Any]:
    declared = {"selector": {"app": "litellm"}, "ports": [{"port": port, "targetPort": 4000}]}
    return {"metadata": {"name": "litellm"}, "spec": {**declared, **spec}}


def listed(*pods: dict[str, Any], version: str = "1") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version}, "items": list(pods)}


def status(code: int, message: str = "") -> web.Response:
    body = {"kind": "Status", "code": code, "message": message}
    return web.json_response(body, status=code)


def event(kind: str, item: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


@dataclass
class ScriptedApi:
    """Answers by path; a value is an object, or a handler. `tokens`: who is let in, None: all."""

    authority: Authority
    answers: dict[str, dict[str, Any] | Handler] = field(default_factory=dict)
    watches: asyncio.Queue[Handler] = field(default_factory=asyncio.Queue)
    tokens: set[str] | None = None
    requests: list[web.Request] = field(default_factory=list)
    client_ports: list[int] = field(default_factory=list)
    refuses_with: Callable[[], web.Response] = lambda: status(401, "Unauthorized")
    refused: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        assert request.transport is not None
        self.client_ports.append(request.transport.get_extra_info("peername")[1])
        if self.tokens is not None:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.tokens:
                self.refused += 1
                return self.refuses_with()
        if request.query.get("watch") and not request.path.endswith("/pods"):
            return status(403, "no watch of the target")
        if request.query.get("watch"):
            handler = await self.watches.get()
            return await handler(request)
        # As a real one: /version/, which the library asks for, is /version.
        answer = self.answers.get(request.path.rstrip("/"))
        if answer is None:
            return status(404, f"{request.path} not found")
        return web.json_response(answer) if isinstance(answer, dict) else await answer(request)


@asynccontextmanager
async def serving(
    authority: Authority | None = None, *, asks_for_certificate: bool = False
) -> AsyncIterator[ScriptedApi]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    api = ScriptedApi(authority or Authority())
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = _server_context(api.authority, asks_for_certificate)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    api.port = runner.addresses[0][1]
    try:
        yield api
    finally:
        await runner.cleanup()


def _server_context(authority: Authority, asks_for_certificate: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, authority)
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authority.pem.decode())
    return context


def _load(context: ssl.SSLContext, authority: Authority) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*authority.server().write_pem(Path(folder), "server"))


def kubeconfig(
    folder: Path,
    api: ScriptedApi,
    user: Mapping[str, Any] | None = None,
    **cluster: Any,
) -> str:
    """Write a kubeconfig for a scripted API server; None in `cluster` leaves a key out."""
    entry = {
        "server": api.url,
        "certificate-authority-data": base64.b64encode(api.authority.pem).decode(),
        **cluster,
    }
    document = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [
            {"name": "test", "cluster": {k: v for k, v in entry.items() if v is not None}}
        ],
        "users": [{"name": "test", "user": dict(user or {"token": "T"})}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return str(path)


@dataclass
class RecordedProxy:
    port: int
    targets: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


@asynccontextmanager
async def http_proxy(
    *, tls: ssl.SSLContext | None = None, refuses_with: int | None = None
) -> AsyncIterator[RecordedProxy]:
    """A CONNECT proxy."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split()[1]
        proxy.targets.append(target)
        proxy.logins += [
            base64.b64decode(line.split()[-1]).decode()
            for line in head.split("\r\n")
            if line.startswith("Proxy-Authorization: Basic ")
        ]
        if refuses_with is not None:
            writer.write(f"HTTP/1.1 {refuses_with} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()
            return
        host, _, port = target.rpartition(":")
        upstream = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _splice((reader, writer), upstream)

    async with _listening(serve, tls) as port:
        proxy = RecordedProxy(port)
        yield proxy


@asynccontextmanager
async def socks_proxy() -> AsyncIterator[RecordedProxy]:
    """A SOCKS5 proxy without a login that resolves names itself (RFC 1928)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        proxy.targets.append(f"{host}:{port}")
        upstream = await asyncio.open_connection("::1" if kind == 4 else "127.0.0.1", port)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await _splice((reader, writer), upstream)

    async with _listening(serve, None) as port:
        proxy = RecordedProxy(port)
        yield proxy


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def _listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    tls: ssl.SSLContext | None,
) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(guarded(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _splice(one: Streams, other: Streams) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    try:
        await asyncio.gather(pump(one[0], other[1]), pump(other[0], one[1]))
    finally:
        one[1].close()
        other[1].close()
