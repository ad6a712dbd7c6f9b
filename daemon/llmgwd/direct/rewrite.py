"""What changes in a head on its way to and from an upstream that has another name and path.

Pure. Everything not named here passes as it came, the client's key before all: it goes to the
configured upstream and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from llmgwd.config.address import bracketed
from llmgwd.errors import ConfigError
from llmgwd.net.http1 import BadMessage, Fields, Head, request_length

_REQUEST_LINE: Final = re.compile(rb"([A-Z][A-Z_-]*) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")
_ORIGIN_FORM: Final = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://[^/?#]*")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Of one connection, not of the message. Each side here has a connection of its own whose life is
# tied to the other's, so the three words about that life go through and all others end here.
_LIFE_OF_CONNECTION: Final = (b"close", b"keep-alive", b"upgrade")
_HOP_BY_HOP: Final = frozenset(
    (b"connection", b"proxy-connection", b"proxy-authorization", b"proxy-authenticate", b"te")
)

# Handled by word or, where a client lists its own body's length as hop-by-hop, never taken out.
_NEVER_LISTED: Final = frozenset(
    (b"upgrade", b"keep-alive", b"content-length", b"transfer-encoding")
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the upstream is. `prefix` comes before every path and has no slash at its end."""

    is_tls: bool
    host: str
    port: int
    prefix: str

    @property
    def authority(self) -> str:
        """As in a Host header: the port only where it is not the scheme's own."""
        host = bracketed(self.host)
        is_default = self.port == _DEFAULT_PORTS["https" if self.is_tls else "http"]
        return host if is_default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"http{'s' if self.is_tls else ''}://{self.authority}{self.prefix}"


def parse_url(url: str) -> Address:
    """Read the URL of a route.

    Raises:
        ConfigError: not http(s), no host, or more than an address (a login, a query).
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{url} is no URL: {error}.") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigError(f"{url} is not the URL of a gateway.", "Use https://HOST or http://HOST.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(
            "The URL of a gateway holds a login, a query or a fragment.",
            "Give the address alone; clients send their key themselves.",
        )
    prefix = parts.path.rstrip("/")
    return Address(
        parts.scheme == "https", parts.hostname, port or _DEFAULT_PORTS[parts.scheme], prefix
    )


def method_of(head: Head) -> bytes:
    """The method of a request's head.

    Raises:
        BadMessage: its first line is no HTTP/1 request line, or asks for a proxy (CONNECT).
    """
    return _request_line(head)[1]


def rewrite_request(head: Head, address: Address) -> bytes:
    """Give the head that goes upstream: its Host, the path behind its prefix.

    Raises:
        BadMessage: see `method_of`.
    """
    line = _request_line(head)
    target = line[2]
    absolute = _ORIGIN_FORM.match(target)
    if absolute:
        target = target[absolute.end() :]
    if target != b"*":
        target = address.prefix.encode() + (target if target[:1] == b"/" else b"/" + target)
    dropped = {b"host"}
    if request_length(head) and head.tokens(b"transfer-encoding"):
        # Both lengths in one request is how requests are smuggled; the chunks are what counts.
        dropped.add(b"content-length")
    fields = ((b"Host", address.authority.encode()), *_passing(head, dropped))
    return _joined(b"%b %b HTTP/1.%b" % (line[1], target, line[3]), fields)


def _request_line(head: Head) -> re.Match[bytes]:
    line = _REQUEST_LINE.fullmatch(head.first)
    if line is None or line[1] == b"CONNECT":
        raise BadMessage("no request line")
    return line


def rewrite_response(head: Head, address: Address, *, is_last: bool) -> bytes:
    """Give the head that goes to the client; `is_last` asks it for a new connection next time."""
    # Another way to the upstream's name is none to the address that the client talks to.
    fields = _passing(head, {b"alt-svc"}, is_last=is_last)
    return _joined(
        head.first,
        tuple(
            (name, _local(value, address) if name.lower() == b"location" else value)
            for name, value in fields
        ),
    )


def _passing(head: Head, dropped: set[bytes], *, is_last: bool = False) -> Fields:
    tokens = head.tokens(b"connection")
    gone = _HOP_BY_HOP | dropped | (set(tokens) - _NEVER_LISTED)
    if b"upgrade" not in tokens:
        gone |= {b"upgrade"}
    if is_last:
        gone |= {b"keep-alive"}
    fields = tuple((name, value) for name, value in head.fields if name.lower() not in gone)
    kept = [b"close"] if is_last else [word for word in tokens if word in _LIFE_OF_CONNECTION]
    return (*fields, (b"Connection", b", ".join(kept))) if kept else fields


def _local(location: bytes, address: Address) -> bytes:
    """Make a redirect to the upstream itself one to the same path here.

    The scheme is not compared: a gateway behind a TLS ingress says http of itself.
    """
    absolute = _ORIGIN_FORM.match(location)
    path = location
    if absolute:
        host = absolute[0].partition(b"://")[2].decode("latin-1").lower()
        name = bracketed(address.host)
        if host not in (name, f"{name}:{address.port}", f"{name}:443", f"{name}:80"):
            return location
        path = location[absolute.end() :] or b"/"
    elif location[:1] != b"/" or location[:2] == b"//":
        return location
    prefix = address.prefix.encode()
    if not path.startswith(prefix) or path[len(prefix) : len(prefix) + 1] not in (b"", b"/", b"?"):
        return location
    path = path[len(prefix) :]
    return path if path[:1] == b"/" else b"/" + path


def _joined(first: bytes, fields: Fields) -> bytes:
    return b"\r\n".join([first, *(name + b": " + value for name, value in fields), b"", b""])
