"""Requests as tests send them, and answers as they read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import asyncio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Answer(NamedTuple):
    status: int
    head: bytes
    body: bytes  # as it came, chunk framing included

    def field(self, name: str) -> str | None:
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found.lower() == name.lower().encode():
                return value.strip().decode()
        return None


def get(path: str = "/v1/models", *fields: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: localhost", *fields, "", ""]).encode()


def post(path: str = "/v1/messages", body: bytes = b"{}", *fields: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(body)}",
        *fields,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


async def read_answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> Answer:
    """Read one answer with a length or in chunks; `has_body` False: as to HEAD."""
    head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
    answer = Answer(int(head[9:12]), head, b"")
    length = answer.field("content-length")
    if not has_body or answer.status < 200 or answer.status in (204, 304):
        body = b""
    elif length is not None:
        body = await reader.readexactly(int(length))
    else:
        assert answer.field("transfer-encoding") == "chunked", head
        body = await _chunks(reader)
    return answer._replace(body=body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    came = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        came += line
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        came += await reader.readexactly(size + 2)
    while not came.endswith(b"\r\n\r\n"):
        came += await reader.readuntil(b"\r\n")
    return came
