"""One small HTTP/1.1 exchange over a byte stream, for the daemon's own questions to a gateway.

Its answers are short and its streams are single use, so it reads to the end of one bounded answer
and keeps nothing. Traffic of clients never comes through here.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from llmgwd.net.http1_answer import AnswerReader
from llmgwd.net.http1_heads import BadMessage

# Far above any health answer; /v1/models of a large gateway stays below it too.
MAX_ANSWER_BYTES: Final = 1 << 20


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
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def content(self) -> Any:
        """The body as JSON, or as text where it is none."""
        content = self.json
        return self.body.decode("utf-8", "replace") if content is None else content


def parse(raw: bytes, *, at_end: bool) -> Answer | None:
    """Read one answer from all bytes that came so far; None while it is not complete.

    Raises:
        NotHttp: these bytes can never become an answer.
    """
    reader = AnswerReader()
    is_broken = False
    try:
        reader.feed(raw)
        if at_end:
            reader.end()
    except BadMessage:
        is_broken = True
    is_over = at_end or is_broken or len(raw) > MAX_ANSWER_BYTES
    if reader.head is None:
        if is_over:
            raise NotHttp(raw[:80])
        return None
    if not reader.is_whole and not is_over:
        return None
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in reader.head.fields
    }
    return Answer(reader.status, headers, bytes(reader.content), reader.is_whole)


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
    raw = bytearray()
    while True:
        chunk = await reader.read(1 << 16)
        raw += chunk
        if not raw:
            raise EOFError
        answer = parse(bytes(raw), at_end=not chunk)
        if answer is not None:
            return answer
