"""Answers of a gateway as bytes."""

from __future__ import annotations

import json

ALIVE = b'"I\'m alive!"'


def http(status: int, body: bytes | object, headers: str = "") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n{headers}\r\n".encode() + raw
