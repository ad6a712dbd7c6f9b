"""One small HTTP/1.1 exchange over a byte stream, for the daemon's own questions to a gateway.

Its answers are short and its streams are single use, so it reads to the end of one bounded answer
and keeps nothing. Traffic of clients never comes through here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

# Far above any health answer; /v1/models of a large gateway stays below it too.
MAX_ANSWER_BYTES: Final = 1 << 20

# 529 comes with an empty reason phrase, and some servers leave out the space before it.
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n")
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,8}(?=[ \t;]|\Z)")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


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
    if not b"HTTP/1.".startswith(raw[:7]) and not raw.startswith(b"HTTP/1."):
        raise NotHttp(raw[:80])
    head_end = _HEAD_END.search(raw)
    if head_end is None:
        if at_end or len(raw) > MAX_ANSWER_BYTES:
            raise NotHttp(raw[:80])
        return None
    status = _STATUS_LINE.match(raw)
    if status is None:
        raise NotHttp(raw[:80])
    headers = _headers(raw[status.end() : head_end.start()])
    if 100 <= int(status[1]) < 200:
        return parse(raw[head_end.end() :], at_end=at_end)
    body, is_whole = _body(int(status[1]), headers, raw[head_end.end() :])
    if not is_whole and not at_end and len(raw) <= MAX_ANSWER_BYTES:
        return None
    return Answer(int(status[1]), headers, body, is_whole)


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


def _headers(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _body(status: int, headers: Mapping[str, str], rest: bytes) -> tuple[bytes, bool]:
    if status in (204, 304):
        return b"", True
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _unchunked(rest)
    length = headers.get("content-length", "")
    if length.isdecimal():
        return rest[: int(length)], len(rest) >= int(length)
    # No length: the end of the stream is the end of the body, and only the caller knows of it.
    return rest, False


def _unchunked(rest: bytes) -> tuple[bytes, bool]:
    """Join the chunks; whether the last one (length 0) was among them."""
    body = bytearray()
    while True:
        line, newline, rest = rest.partition(b"\r\n")
        size = _chunk_size(line)
        if not newline or size is None:
            return bytes(body), False
        if size == 0:
            return bytes(body), True
        if len(rest) < size + 2:
            return bytes(body + rest[:size]), False
        body += rest[:size]
        rest = rest[size + 2 :]


def _chunk_size(line: bytes) -> int | None:
    size = _CHUNK_SIZE.match(line)
    return int(size[0], 16) if size else None
