"""The one door for what others wrote: JSON, and values of other formats, decoded within limits.

Whatever the bytes, only `Malformed` leaves. Python's decoders raise many things besides their own
error: RecursionError for brackets within brackets, ValueError for a number of 5,000 digits. And
what they accept can still break its user: a lone surrogate cannot be written to a file, and
a number of 400 digits has no float.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec

from llmgwd.system.plain_values import Malformed, plain

__all__ = ["Malformed", "json", "plain", "seconds", "text", "typed_json"]

T = TypeVar("T")

# Each value but the first comes after one of these. Counted before anything is made: an object in
# 8 bytes of JSON takes 240 of memory, 2.8 million `{}` in 8 MiB 200 MB. This many take 25 MB, and
# are those of 300 usual pods.
MAX_SEPARATORS: Final = 300_000
_SEPARATORS: Final = (b",", b":", b"[", b"{")

# Escapes in the order they stand, so that an escaped backslash is not taken for the start of one.
_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)",
    re.DOTALL,
)
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE_BYTES: Final = 6
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def json(data: bytes | bytearray | memoryview, most_bytes: int | None = None) -> Any:
    """Decode JSON to plain values.

    Raises:
        Malformed: not JSON, above `most_bytes`, too deep, with too many values, or with numbers
            beyond 64 bits.
    """
    content = bytes(data)
    if sum(map(content.count, _SEPARATORS)) > MAX_SEPARATORS:
        raise Malformed(f"more than {MAX_SEPARATORS} values")
    return plain(typed_json(content, _ANYTHING, most_bytes))


def typed_json(
    data: bytes | bytearray | memoryview,
    decoder: msgspec.json.Decoder[T],
    most_bytes: int | None = None,
) -> T:
    """Decode JSON with a decoder of msgspec; what its type does not name is passed over.

    Raises:
        Malformed: not JSON, above `most_bytes`, or not of that type.
    """
    if most_bytes is not None and len(data) > most_bytes:
        raise Malformed(f"more than {most_bytes} bytes")
    content = bytes(data)
    if _SURROGATE_ESCAPE.search(content):
        content = _ESCAPES.sub(_without_lone, content)
    try:
        return decoder.decode(content)
    except UnicodeDecodeError:
        content = content.decode("utf-8", "replace").encode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Malformed("not the JSON that was expected") from None
    try:
        return decoder.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Malformed("not the JSON that was expected") from None


def text(value: object) -> str:
    """Give a text without lone surrogates, which nothing can write; "" for what is no text."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else ""


def seconds(value: str, most_s: float) -> float | None:
    """Read a number of seconds from a header; None for what is none. Never above `most_s`."""
    is_number = value.isascii() and value.isdecimal() and len(value) <= 20
    return min(float(value), most_s) if is_number else None


def _without_lone(escape: re.Match[bytes]) -> bytes:
    is_lone = len(escape[0]) == _LONE_BYTES
    return b"\\ufffd" if is_lone else escape[0]


_ANYTHING: Final = msgspec.json.Decoder(Any)
