"""Clients that keep their connection as their library does, with every retry turned off.

Each one is a client of its own, with one connection, so that what happens to a kept connection
happens to the next request. They ask one question at a time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import anthropic
import httpx
import openai

# Above the daemon's default hold, so that its answer is seen and not the client's own time-out.
PATIENCE_S = 45.0
KEY = "sk-demo-master-key"
BODY_BYTES = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """`first_byte_s` and `is_kept` are None where the library does not say."""

    what: str
    first_byte_s: float | None = None
    is_kept: bool | None = None


class KeptClient(Protocol):
    async def ask(self, name: str) -> Answer:
        """Make one request, with this X-Request-Id; any error of the library may be raised."""

    async def close(self) -> None: ...


class RawClient:
    """HTTP/1.1 by hand: sends on its connection unless it has seen the end of it."""

    def __init__(self, port: int, keeps: bool = True) -> None:
        self._port = port
        self._keeps = keeps
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, name: str) -> Answer:
        body = os.urandom(BODY_BYTES)
        head = f"POST /echo HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {name}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        began = time.monotonic()
        is_kept = self._pair is not None and not self._pair[0].at_eof()
        if not is_kept:
            await self.close()
            self._pair = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._pair is not None
        reader, writer = self._pair
        try:
            writer.write(head.encode() + body)
            await writer.drain()
            first = await reader.read(65536)
            first_byte_s = time.monotonic() - began
            what, ends = await _rest(reader, first, body) if first else ("reset", True)
        except ConnectionError:
            await self.close()
            return Answer("reset", None, is_kept)
        if ends or not self._keeps:
            await self.close()
        return Answer(what, first_byte_s, is_kept)

    async def close(self) -> None:
        if self._pair is not None:
            self._pair[1].close()
            self._pair = None


async def _rest(reader: asyncio.StreamReader, data: bytes, body: bytes) -> tuple[str, bool]:
    """Read the rest of an answer: what it comes to, and whether its connection ends with it."""
    while b"\r\n\r\n" not in data:
        piece = await reader.read(65536)
        if not piece:
            return "cut", True
        data += piece
    head, _, came = data.partition(b"\r\n\r\n")
    lower = head.lower()
    ends = b"connection: close" in lower
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
    while len(came) < length:
        piece = await reader.read(65536)
        if not piece:
            return "cut", True
        came += piece
    status = head[9:12].decode()
    if status != "200":
        return status, ends
    return ("ok" if came == body else "corrupt"), ends


class HttpxClient:
    def __init__(self, port: int) -> None:
        # For ever, and not for the 5 s of its default: the longest that people have.
        limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=PATIENCE_S, trust_env=False
        )

    async def ask(self, name: str) -> Answer:
        body = os.urandom(BODY_BYTES)
        answer = await self._client.post("/echo", content=body, headers={"X-Request-Id": name})
        return _judged(answer.status_code, answer.content == body)

    async def close(self) -> None:
        await self._client.aclose()


class AiohttpClient:
    def __init__(self, port: int) -> None:
        self._session = aiohttp.ClientSession(
            f"http://127.0.0.1:{port}",
            connector=aiohttp.TCPConnector(limit=1),
            timeout=aiohttp.ClientTimeout(PATIENCE_S),
        )

    async def ask(self, name: str) -> Answer:
        body = os.urandom(BODY_BYTES)
        headers = {"X-Request-Id": name}
        async with self._session.post("/echo", data=body, headers=headers) as answer:
            return _judged(answer.status, await answer.read() == body)

    async def close(self) -> None:
        await self._session.close()


def _judged(status: int, is_same: bool) -> Answer:
    if status != 200:
        return Answer(str(status))
    return Answer("ok" if is_same else "corrupt")


class OpenaiClient:
    """Asks in one piece and in a stream, in turn."""

    def __init__(self, port: int) -> None:
        self._client = openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0, timeout=PATIENCE_S
        )
        self._streams = False

    async def ask(self, name: str) -> Answer:
        self._streams = not self._streams
        asked = {
            "model": "gpt-mini",
            "messages": [{"role": "user", "content": "Say something."}],
            "extra_headers": {"X-Request-Id": name},
            "extra_body": {"pieces": 4, "gap_s": 0.01},
        }
        if not self._streams:
            whole = await self._client.chat.completions.create(**asked)
            return Answer("ok" if whole.choices[0].message.content else "corrupt")
        chunks = [
            chunk
            async for chunk in await self._client.chat.completions.create(stream=True, **asked)
        ]
        return Answer("ok" if chunks[-1].choices[0].finish_reason == "stop" else "cut")

    async def close(self) -> None:
        await self._client.close()


class AnthropicClient:
    """Asks in one piece and in a stream, in turn."""

    def __init__(self, port: int) -> None:
        self._client = anthropic.AsyncAnthropic(
            base_url=f"http://127.0.0.1:{port}", api_key=KEY, max_retries=0, timeout=PATIENCE_S
        )
        self._streams = False

    async def ask(self, name: str) -> Answer:
        self._streams = not self._streams
        asked = {
            "model": "claude-haiku",
            "max_tokens": 64,
            "messages": [{"role": "user", "content": "Say something."}],
            "extra_headers": {"X-Request-Id": name},
            "extra_body": {"pieces": 4, "gap_s": 0.01},
        }
        if not self._streams:
            whole = await self._client.messages.create(**asked)
            return Answer("ok" if whole.content[0].text else "corrupt")
        async with self._client.messages.stream(**asked) as stream:
            final = await stream.get_final_message()
        return Answer("ok" if final.stop_reason == "end_turn" else "cut")

    async def close(self) -> None:
        await self._client.close()


# Of a failed request's errors, from the library's own down to the system's: the first that is known
# here decides. By name, since the SDKs bring an HTTP library of their own.
_ENDS = {
    "ConnectionRefusedError": "refused",
    "ClientConnectorError": "refused",
    "ConnectError": "refused",
    "TimeoutError": "silent",
    "ReadTimeout": "silent",
    "ConnectTimeout": "silent",
    "ServerTimeoutError": "silent",
    "ConnectionResetError": "reset",
    "BrokenPipeError": "reset",
    "RemoteProtocolError": "reset",
    "ReadError": "reset",
    "WriteError": "reset",
    "ServerDisconnectedError": "reset",
    "ClientOSError": "reset",
    "ClientPayloadError": "cut",
}


def fate_of(error: BaseException) -> str:
    """What an error of any of these libraries says of the request, in the ledger's words."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return str(status)
    cause: BaseException | None = error
    while cause is not None:
        if end := _ENDS.get(type(cause).__name__):
            return end
        cause = cause.__cause__ or cause.__context__
    return f"{type(error).__name__}: {error}"


KINDS: dict[str, Callable[[int], KeptClient]] = {
    "raw": RawClient,
    "fresh": lambda port: RawClient(port, keeps=False),
    "httpx": HttpxClient,
    "aiohttp": AiohttpClient,
    "openai": OpenaiClient,
    "anthropic": AnthropicClient,
}
