"""What changes in a head on its way to and from an upstream that has another name and path.

Pure. Everything not named here passes as it came, the client's key before all: it goes to the
configured upstream and nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmgwd.config.address import bracketed
from llmgwd.net.http1_heads import Head, end_to_end_fields, forwarded_request

if TYPE_CHECKING:
    from llmgwd.direct.address import Address
from llmgwd.net.http1_heads import RequestLine

_ORIGIN: Final = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://[^/?#]*")
# Said to the proxy that a client believes us to be, and to no one behind us.
_TO_A_PROXY: Final = frozenset((b"proxy-authorization", b"proxy-authenticate"))
# Another way to the upstream's name is none to the address that the client talks to.
_FROM_UPSTREAM: Final = frozenset((b"alt-svc",))


def upstream_request(head: Head, line: RequestLine, path: bytes, address: Address) -> Head:
    """Give the head that goes upstream: its Host, the path behind its prefix."""
    target = path if path == b"*" else address.prefix.encode() + path
    host = ((b"Host", address.authority.encode()),)
    return forwarded_request(head, line, target, host, _TO_A_PROXY)


def client_response(head: Head, address: Address) -> Head:
    """Give an answer's head as it goes to the client of our local address."""
    fields = end_to_end_fields(head, _FROM_UPSTREAM)
    return Head(
        head.first,
        tuple(
            (name, _local(value, address) if name.lower() == b"location" else value)
            for name, value in fields
        ),
    )


def _local(location: bytes, address: Address) -> bytes:
    """Make a redirect to the upstream itself one to the same path here.

    The scheme is not compared: a gateway behind a TLS ingress says http of itself.
    """
    absolute = _ORIGIN.match(location)
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
