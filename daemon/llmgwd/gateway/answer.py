"""One small HTTP/1.1 exchange over a byte stream, for the daemon's own questions to a gateway.

Its answers are short and its streams are single use, so it reads to the end of one bounded answer
and keeps nothing. Traffic of clients never comes through here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import anyio.lowlevel

from llmgwd.net.http1_answer import AnswerReader
from llmgwd.net.http1_heads import BadMessage
from llmgwd.system import foreign

# Far above any health answer; /v1/models of a large gateway stays below it too.
MAX_ANSWER_BYTES: Final = 1 << 20
# As chunks of one byte, this much is some 700 lines to follow: 5 ms.
_READ_BYTES: Final = 4 << 10
# A server's chunks are as long as its writes; an answer that is framing for the most part is cut.
_FRAMING_BYTES: Final = 32 << 10
# Of what is no HTTP, for the sentence about it.
_SHOWN_BYTES: Final = 80


class Reader(Protocol):
    async def read(self, n: int = -1, /) -> bytes: ...


class Writer(Protocol):
    def write(self, data: bytes, /) -> None: ...
    def close(self) -> None: ...


Connect = Callable[[], Awaitable[tuple[Reader, Writer]]]


class NotHttp(Exception):
    """What came is not an HTTP/1.x answer; `start` is how it begins, empty if nothing came."""

    def __init__(self, start: bytes) -> None:
        super().__init__("not an HTTP answer")
        self.start = start


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are lower case. `is_whole` is false for a body cut short by its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True

    @property
    def json(self) -> Any:
        """The body as JSON, or None when it is not."""
        try:
            return foreign.json(self.body)
        except foreign.Malformed:
            return None

    @property
    def content(self) -> Any:
        """The body as JSON, or as text where it is none."""
        content = self.json
        return self.body.decode("utf-8", "replace") if content is None else content


class Reading:
    """One answer as its bytes come; each is looked at once."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self._reader = AnswerReader()
        self._start = b""
        self._read_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as the network cut them, b"" for the end; `answer` is set once it stands.

        Raises:
            NotHttp: this is no answer, or an endless row of interim ones.
        """
        self._start += data[: _SHOWN_BYTES - len(self._start)]
        self._read_bytes += len(data)
        framing = self._read_bytes - len(self._reader.content)
        is_over = not data or self._read_bytes > MAX_ANSWER_BYTES
        is_over = is_over or framing > _FRAMING_BYTES + self._read_bytes // 2
        try:
            if data:
                self._reader.feed(data)
            else:
                self._reader.end()
        except BadMessage:
            is_over = True
        head = self._reader.head
        if head is None:
            if is_over:
                raise NotHttp(self._start)
        elif self._reader.is_whole or is_over:
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in head.fields
            }
            content = bytes(self._reader.content)
            self.answer = Answer(self._reader.status, headers, content, self._reader.is_whole)


async def exchange(connect: Connect, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """GET `path` on a stream of its own and give the whole answer.

    The caller bounds the time. The stream is closed on every way out.

    Raises:
        NotHttp, OSError, EOFError (closed without a byte), and whatever `connect` raises.
    """
    reader, writer = await connect()
    try:
        # uvicorn closes a kept-alive connection after 5 s; asking for that at once spares the
        # tunnel a stream that idles until then.
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += ["User-Agent: llmgwd", "Accept: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return await _read_answer(reader)
    finally:
        writer.close()


async def _read_answer(reader: Reader) -> Answer:
    reading = Reading()
    is_begun = False
    while reading.answer is None:
        chunk = await reader.read(_READ_BYTES)
        # A read of what has come already does not wait, and others would until the whole is parsed.
        await anyio.lowlevel.checkpoint()
        is_begun = is_begun or bool(chunk)
        if not is_begun:
            raise EOFError
        reading.feed(chunk)
    return reading.answer
