"""Requests through a forward as a client would make them, each on a connection of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

# Above the daemon's default hold, so that its answer is seen and not our own time-out.
PATIENCE_S = 45.0
# What a fault may make of a request that was under way: 502 in llmgwd's words before the answer
# began, or its end in the middle. A connection that ends before a byte of the answer is "reset".
LOSSES = frozenset({"502", "cut"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one request.

    `what` is "ok", an HTTP status, "refused" (no connection), "reset" (it ended before a byte of
    the answer), "cut" (in the middle), "silent" (no end within our patience) or "corrupt".
    """

    name: str
    began_at: float  # monotonic
    took_s: float
    what: str


def get(port: int, path: str, timeout_s: float = PATIENCE_S, host: str = "127.0.0.1") -> bytes:
    """GET on a fresh connection; the whole answer."""
    return asyncio.run(_request(host, port, _head("GET", path, ""), b"", timeout_s))


def status_of(answer: bytes) -> int:
    return int(answer[9:12])


@dataclass
class Traffic:
    """Checksummed echoes at a steady rate, in a thread, for as long as the block lasts."""

    port: int
    rate: float = 40.0
    body_bytes: int = 2000
    outcomes: list[Outcome] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(PATIENCE_S + 10)

    @property
    def counts(self) -> Counter[str]:
        return Counter(each.what for each in self.outcomes)

    @property
    def lost(self) -> int:
        """How many were under way when a fault took their stream."""
        return sum(count for what, count in self.counts.items() if what in LOSSES)

    @property
    def slowest_s(self) -> float:
        return max(each.took_s for each in self.outcomes)

    def between(self, since: float, until: float) -> Counter[str]:
        """Count what began between two monotonic instants."""
        return Counter(e.what for e in self.outcomes if since <= e.began_at < until)

    async def _run(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            count = 0
            while not self._stop.is_set():
                tasks.create_task(self._one(f"{id(self)}-{count}"))
                count += 1
                await asyncio.sleep(max(0.0, began + count / self.rate - time.monotonic()))

    async def _one(self, name: str) -> None:
        began = time.monotonic()
        what = await exchange(self.port, name, os.urandom(self.body_bytes))
        self.outcomes.append(Outcome(name, began, time.monotonic() - began, what))


async def exchange(port: int, name: str, body: bytes, timeout_s: float = PATIENCE_S) -> str:
    """Echo a body and compare what comes back with what was sent."""
    head = _head("POST", "/echo", f"X-Request-Id: {name}\r\nContent-Length: {len(body)}\r\n")
    try:
        answer = await _request("127.0.0.1", port, head, body, timeout_s)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent"
    except _BrokenOffError as error:
        return "cut" if error.has_begun else "reset"
    except OSError:
        return "reset"
    if status_of(answer) != 200:
        return str(status_of(answer))
    came = answer.partition(b"\r\n\r\n")[2]
    return "ok" if _digest(came) == _digest(body) else "corrupt"


def _head(method: str, path: str, headers: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


class _BrokenOffError(Exception):
    """The connection ended before the answer was whole; `has_begun`: a byte of it had come."""

    def __init__(self, has_begun: bool) -> None:
        super().__init__(f"ended {'in the middle of' if has_begun else 'before'} the answer")
        self.has_begun = has_begun


class _Reader(asyncio.StreamReader):
    """Knows whether a byte came, also where a reset hides it from who reads."""

    has_begun = False

    def feed_data(self, data: bytes) -> None:
        self.has_begun = True
        super().feed_data(data)


async def _request(host: str, port: int, head: bytes, body: bytes, timeout_s: float) -> bytes:
    async with asyncio.timeout(timeout_s):
        reader = _Reader()
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: asyncio.StreamReaderProtocol(reader), host, port
        )
        try:
            transport.write(head + body)
            return await _answer(reader)
        except (OSError, EOFError) as error:
            raise _BrokenOffError(reader.has_begun) from error
        finally:
            transport.close()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer to its end, which is told by its length or by its last chunk."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return head + await _chunks(reader)
    if b"content-length:" not in lower:
        return head + await reader.read(-1)
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        size = int((await reader.readline()).strip() or b"0", 16)
        body += await reader.readexactly(size)
        await reader.readline()
        if size == 0:
            return bytes(body)
