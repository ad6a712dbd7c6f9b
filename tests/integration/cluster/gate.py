"""A raw TLS server that answers upgrades as a test scripts it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llmgwctl.wire import UpgradeKind
from llmgwsim.net.tls import Authority, server_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Gate:
    """A raw TLS server that answers upgrades: what it says to each way is scripted in bytes."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.answers: dict[UpgradeKind, bytes | None] = {}
        self.tokens: set[str] | None = None
        self.tried: list[UpgradeKind] = []
        self.resumed: list[bool] = []
        self.open = 0
        self.asked = asyncio.Event()
        self.all_closed = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.all_closed.clear()
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.resumed.append(writer.get_extra_info("ssl_object").session_reused)
            way = _way_of(head)
            self.tried.append(way)
            self.asked.set()
            answer = self.answers.get(way, accepted(head))
            if self.tokens is not None and not any(f"Bearer {t}\r\n" in head for t in self.tokens):
                answer = refusing(401, status("Unauthorized"))
            if answer is not None:
                writer.write(answer.replace(b"KEY", accept_of(head)))
                await writer.drain()
            while chunk := await reader.read(4096):
                writer.write(chunk.upper())
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.open -= 1
            if not self.open:
                self.all_closed.set()


def _way_of(head: str) -> UpgradeKind:
    if "Upgrade: SPDY/3.1\r\n" in head:
        return UpgradeKind.SPDY
    return UpgradeKind.CHANNELS if "v4.channel.k8s.io" in head else UpgradeKind.WEBSOCKET


def accept_of(head: str) -> bytes:
    keys = [line.split()[1] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key")]
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(f"{keys[0]}{guid}".encode()).digest()) if keys else b""


def accepted(head: str, after: bytes = b"") -> bytes:
    way = _way_of(head)
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade"]
    if way is UpgradeKind.SPDY:
        lines.append(b"Upgrade: SPDY/3.1")
    else:
        name = "v4.channel.k8s.io" if way is UpgradeKind.CHANNELS else "SPDY/3.1+portforward.k8s.io"
        lines += [
            b"Upgrade: websocket",
            b"Sec-WebSocket-Accept: KEY",
            f"Sec-WebSocket-Protocol: {name}".encode(),
        ]
    return b"\r\n".join([*lines, b"", after])


def status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


def refusing(code: int, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {code} No\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def gate() -> AsyncIterator[Gate]:
    scripted = Gate(Authority())
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(scripted.serve(reader, writer)))

    context = server_context(scripted.authority)
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
