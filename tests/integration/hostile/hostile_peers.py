"""Hostile peers in threads: a gateway whose every byte is chosen, and an API server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import zlib
from collections.abc import Callable

from aiohttp import web

from support.scripted_api import PODS, SERVICE, ScriptedApi, event, listed, pod, service, serving

Attack = Callable[[socket.socket], None]

ALIVE = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n"I\'m alive!"'
# 64 KB that become 64 MB.
BOMB = zlib.compress(bytes(64 << 20), 9, 31)


class Gateway:
    """Answers each connection's first request as `attack` does, and counts them."""

    def __init__(self, attack: Attack) -> None:
        self.attack = attack
        self.hits = 0
        self._server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            peer.settimeout(5.0)
            if peer.recv(65536):
                self.hits += 1
                self.attack(peer)

    def close(self) -> None:
        self._server.close()


def says(content: bytes) -> Attack:
    return lambda peer: peer.sendall(content)


def repeats(start: bytes, piece: bytes) -> Attack:
    """Send pieces until the other side has had enough."""

    def attack(peer: socket.socket) -> None:
        peer.sendall(start)
        while True:
            peer.sendall(piece)

    return attack


def ok(body: bytes, *fields: bytes) -> bytes:
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields])
    return head + b"\r\n\r\n" + body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LACED = rb'{"error": {"message": "\u001b]0;x\u0007\ud800 Bearer abcdefghijk"}}'
GATEWAYS: dict[str, Attack] = {
    "a length of 5,000 digits": says(
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"
    ),
    "a chunk's size of 5,000 digits": says(CHUNKED + b"f" * 5000 + b"\r\n"),
    "1,500 interim answers": says(b"HTTP/1.1 100 Continue\r\n\r\n" * 1500),
    "interim answers without end": repeats(b"", b"HTTP/1.1 103 Hints\r\n\r\n" * 100),
    "200 KB of brackets": says(ok(b"[" * 200_000)),
    "a number of 5,000 digits": says(ok(b"9" * 5000)),
    "1 MB in chunks of one byte": says(CHUNKED + b"1\r\nx\r\n" * 170_000),
    "a body without end": repeats(CHUNKED, b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
    "a head without end": repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
    "extensions of a chunk without end": repeats(CHUNKED + b"4;", b"x" * 1000),
    "trailers without end": repeats(CHUNKED + b"0\r\n", b"X: y\r\n" * 100),
    "a bomb of gzip": says(ok(BOMB, b"Content-Encoding: gzip")),
    "escapes, surrogates and a token": says(
        b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n" % len(LACED) + LACED
    ),
}


async def endless_body(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while request.transport is not None and not request.transport.is_closing():
        await answer.write(b"[" + b" " * 65536)
        await asyncio.sleep(0.001)  # so that others are served between
    return answer


async def flood_of_events(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    number = 0
    while request.transport is not None and not request.transport.is_closing():
        number += 50
        pods = [pod(f"p-{each % 7000}", version=str(each)) for each in range(number, number + 50)]
        await answer.write(b"".join(event("MODIFIED", each) for each in pods))
        await asyncio.sleep(0.02)
    return answer


def floods(piece: bytes) -> Callable[..., object]:
    """Send a piece again and again, in a watch that never ends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await stream.write(piece)
            await asyncio.sleep(0.002)
        return stream

    return answer


def body(content: bytes, status: int = 200, **headers: str) -> Callable[..., object]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=content, status=status, headers=headers)

    return answer


def lines(*content: bytes) -> Callable[..., object]:
    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        for line in content:
            await stream.write(line + b"\n")
        await asyncio.sleep(5)
        return stream

    return answer


# What a request is answered, by its path ("watch" is the watch of the pods).
APIS: dict[str, tuple[str, Callable[..., object]]] = {
    "a service of 200 KB of brackets": (SERVICE, body(b"[" * 200_000)),
    "a service with a number of 5,000 digits": (SERVICE, body(b'{"a":' + b"9" * 5000 + b"}")),
    "a service that is a list": (SERVICE, body(b'{"metadata": [], "spec": 7}')),
    "a service compressed beyond reason": (SERVICE, body(BOMB, **{"Content-Encoding": "gzip"})),
    "a service without end": (SERVICE, endless_body),
    "a sentence with a lone surrogate": (
        SERVICE,
        body(rb'{"kind": "Status", "message": "\ud800 \u001b[2J Bearer abcdefghijk"}', 500),
    ),
    "a wait of 5,000 digits": (SERVICE, body(b"", 429, **{"Retry-After": "9" * 5000})),
    "pods of every kind but pods": (PODS, body(b'{"items": [null, 7, [], {"metadata": {}}]}')),
    "a service of 100,000 ports": (
        SERVICE,
        body(
            b'{"metadata": {"name": "litellm"}, "spec": {"selector": {"a": "b"}, "ports": ['
            + b'{"port": 1},' * 100_000
            + b'{"port": 2}]}}'
        ),
    ),
    "300,000 pods that are null": (
        PODS,
        body(b'{"metadata": {}, "items": [' + b"null," * 299_000 + b"null]}"),
    ),
    "empty lines without end": ("watch", floods(b"\n" * 60_000)),
    "events of unknown types without end": (
        "watch",
        floods(b'{"type": "X", "object": {"a": 1}}\n' * 500),
    ),
    "an event without an object": ("watch", lines(b'{"type": "ADDED", "object": null}')),
    "events that are none": ("watch", lines(b"[" * 100_000, b"\xff", b"{}", b"9" * 5000)),
    "a flood of events": ("watch", flood_of_events),
    "a line without end": ("watch", endless_body),
}


class ApiServer:
    """A scripted API server in a thread of its own; `attack` takes effect with the next request."""

    def __init__(self) -> None:
        self._is_up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self.api: ScriptedApi
        self.watched: Callable[..., object] = lines()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._is_up.wait(10)

    def attack(self, path: str, answer: Callable[..., object]) -> None:
        self.api.answers = {SERVICE: service(), PODS: listed(pod("a"))}
        self.watched = answer if path == "watch" else lines()
        if path != "watch":
            self.api.answers[path] = answer  # type: ignore[assignment]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with serving() as self.api:
            self.attack(SERVICE, body(b"{}"))
            feeding = asyncio.ensure_future(self._feed())
            self._is_up.set()
            await self._end.wait()
            feeding.cancel()

    async def _feed(self) -> None:
        async def watch(request: web.Request) -> web.StreamResponse:
            answer = self.watched(request)
            return await answer  # type: ignore[misc]

        while True:
            if self.api.watches.empty():
                self.api.watches.put_nowait(watch)
            await asyncio.sleep(0.01)
