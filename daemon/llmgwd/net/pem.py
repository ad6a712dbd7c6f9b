"""PEM as Go reads it: what is between the lines, whatever stands around them. Pure.

Not OpenSSL's reader: it gives up at a comment in another encoding, a block that is cut short or an
empty line, and takes a key only under the name of its own kind.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"
_CERTIFICATE: Final = b"CERTIFICATE"
_KEY: Final = b"PRIVATE KEY"
_LINE_LETTERS: Final = 64
# What follows the version in a private key's DER: the algorithm of PKCS #8, the modulus of PKCS #1,
# the key of SEC 1.
_KEY_KINDS: Final = {b"\x30": b"", b"\x02": b"RSA ", b"\x04": b"EC "}


@dataclass(frozen=True, slots=True, repr=False)
class Block:
    """What is between BEGIN and END: `headers` are lines, `der` is decoded."""

    kind: bytes
    headers: tuple[bytes, ...]
    der: bytes


def blocks(pem: bytes) -> Iterator[Block]:
    """The blocks that are whole; others are passed over."""
    begun: int | None = None
    lines = [line.removesuffix(b"\r").rstrip(b" \t") for line in pem.split(b"\n")]
    for number, line in enumerate(lines):
        if line.startswith(_BEGIN):
            begun = number
        elif line.startswith(_END):
            if begun is not None and (found := _block(lines[begun:number], line)) is not None:
                yield found
            begun = None


def authorities(pem: bytes) -> list[bytes]:
    """The DER of each certificate that may be an authority."""
    return [each.der for each in blocks(pem) if each.kind == _CERTIFICATE and not each.headers]


def chain(pem: bytes) -> bytes:
    """The certificates alone, as OpenSSL reads them; empty: none."""
    found = (each for each in blocks(pem) if each.kind == _CERTIFICATE)
    return b"".join(_written(_CERTIFICATE, each.der) for each in found)


def private_key(pem: bytes) -> bytes:
    """The first private key, under the name by which OpenSSL knows its kind; empty: none."""
    key = next((each for each in blocks(pem) if each.kind.endswith(_KEY)), None)
    if key is None:
        return b""
    if any(b"ENCRYPTED" in line for line in (key.kind, *key.headers)):
        return pem  # left for OpenSSL to ask for the password, so that the refusal names it
    return _written(_key_kind(key.der) + _KEY, key.der)


def _block(lines: list[bytes], end: bytes) -> Block | None:
    begin, *body = lines
    if not begin.endswith(_DASHES) or end != _END + begin.removeprefix(_BEGIN):
        return None
    headers = tuple(takewhile(lambda line: b":" in line, body))
    coded = b"".join(body[len(headers) :]).translate(None, b" \t\r")
    try:
        der = base64.b64decode(coded, validate=True)
    except binascii.Error:
        return None
    return Block(begin[len(_BEGIN) : -len(_DASHES)], headers, der)


def _key_kind(der: bytes) -> bytes:
    # A SEQUENCE, its length in one byte or as many as the first one says, and the version: an
    # INTEGER of one byte, with its head.
    length = 1 + (der[1] & 0x7F) if len(der) > 1 and der[1] & 0x80 else 1
    at = 1 + length + 3
    return _KEY_KINDS.get(der[at : at + 1], b"")


def _written(kind: bytes, der: bytes) -> bytes:
    coded = base64.b64encode(der)
    lines = [coded[at : at + _LINE_LETTERS] for at in range(0, len(coded), _LINE_LETTERS)]
    return b"\n".join([_BEGIN + kind + _DASHES, *lines, _END + kind + _DASHES, b""])
