"""Which HTTP requests may come from a browser, and which page's they may be. Pure.

Any page can have a browser send requests to localhost, and a page whose name was rebound to
127.0.0.1 can read the answers. A browser gives itself away by three fields that no page can forge:
Host (the name it resolved), Origin (whose page asks) and Sec-Fetch-Site. Programs send only Host.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llmgwd.config.address import bracketed
from llmgwd.gateway.error_answer import Trouble
from llmgwd.net.http1 import REQUEST_START, HeadTooLarge, MessageReader
from llmgwd.net.http1_heads import Head, request_length, request_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmgwd.config.model import ListenAddress
    from llmgwd.net.http1_heads import RequestLine

# What this machine is called on itself and in its containers; no other machine can have a name of
# these (RFC 6761, 6.3; "internal" is reserved by ICANN).
_OWN_NAMES: Final = frozenset(
    ("localhost", "host.docker.internal", "host.containers.internal", "ip6-localhost")
)

_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-z:.%]*)\]|([0-9a-z._-]*))(?::[0-9]*)?")
# RFC 3986, 3.1 and 3.2: of any scheme, since it is for the server to say which it takes.
_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_SHORT_IPV4: Final = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+)){0,3}")

# How a report of refused clients words it.
REFUSED_PAGE: Final = "by a web page or for a foreign name"


@dataclass(frozen=True, slots=True)
class WebGuard:
    """`hosts` are names allowed besides this machine's own, `origins` as browsers send them."""

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def refusal(self, head: Head, line: RequestLine) -> Trouble | None:
        """Say why a request is not passed on; None if it is."""
        for host in (*head.all(b"host"), *_authority_of(line.target)):
            name = _text(host)
            if not self._is_own(name):
                allowed, shown = _hostname(name), _shown(name) or "no host"
                return _forbidden(
                    f"The request is for {shown}, which is no name of this machine",
                    f'Allow it: hosts = ["{allowed}"] in the configuration.' if allowed else "",
                )
        for origin in head.all(b"origin"):
            trouble = self._refusal_of_origin(_text(origin))
            if trouble is not None:
                return trouble
        if is_from_another_site(head) and not is_navigation(head, line):
            return _forbidden("A web page of another site asks", "Programs are not concerned.")
        return None

    def _refusal_of_origin(self, origin: str) -> Trouble | None:
        scheme, separator, authority = origin.partition("://")
        is_page = scheme in ("http", "https") and bool(separator)
        if origin.lower() in self.origins or (is_page and self._is_own(authority)):
            return None
        return _forbidden(
            f"A web page of {_shown(origin)} asks",
            f'Allow it: origins = ["{_shown(origin)}"] in the configuration.',
        )

    def _is_own(self, authority: str) -> bool:
        name = _hostname(authority)
        if name in _OWN_NAMES or name.endswith(".localhost") or name in self.hosts:
            return True
        return _is_loopback(name)


class RawRequests:
    """Judges what a client says on a raw connection, for as long as it is requests.

    A page that was led to one asks by HTTP all the same, and a browser uses a connection again:
    each request is judged, not the first alone.
    """

    def __init__(self, guard: WebGuard) -> None:
        self.passed = 0
        self._guard = guard
        self._reader = MessageReader(REQUEST_START, request_length)

    @property
    def is_in_head(self) -> bool:
        return self._reader.is_in_head

    def refusal(self, sent: bytes) -> Trouble | None:
        """Take bytes as they come; say why a request among them may not pass, or None.

        Raises:
            BadMessage: these are no requests, or not any more; nothing behind them is judged.
        """
        while True:
            try:
                events = self._reader.feed(sent)
            except HeadTooLarge as error:
                return Trouble(431, "bad-request", f"This request cannot be judged ({error})")
            if events and isinstance(events[0], Head):
                trouble = self._guard.refusal(events[0], request_line(events[0]))
                if trouble is not None:
                    return trouble
                self.passed += 1
            if not self._reader.rest:
                return None
            sent = b""


def guard_of(
    hosts: Iterable[str], origins: Iterable[str], listen: Iterable[ListenAddress]
) -> WebGuard:
    """Make the guard of a port: the names that it listens at are its own, too."""
    names = {_hostname(bracketed(address.host)) for address in listen}
    return WebGuard(frozenset(hosts) | names, frozenset(origins))


def is_navigation(head: Head, line: RequestLine) -> bool:
    """A person followed a link, or a single sign-on returns: the page is shown, not read."""
    return (
        line.method == b"GET"
        and head.tokens(b"sec-fetch-mode") == [b"navigate"]
        and head.tokens(b"sec-fetch-dest") == [b"document"]
    )


def is_from_another_site(head: Head) -> bool:
    """A browser says that another site had it send this request, and names no page: where it
    does (Origin), the configuration says whether that one may ask.
    """
    is_named = head.first_of(b"origin") is not None
    return not is_named and b"cross-site" in head.tokens(b"sec-fetch-site")


def _authority_of(target: bytes) -> tuple[bytes, ...]:
    """The authority of a target in absolute form, which counts more than Host (RFC 9112, 3.2.2)."""
    absolute = _ABSOLUTE.match(target)
    return () if absolute is None else (absolute[1],)


def _hostname(authority: str) -> str:
    """The host of an authority, in lower case, without its port and brackets; none where it has
    another form, or a login.
    """
    parts = _AUTHORITY.fullmatch(authority.lower())
    return "" if parts is None else (parts[1] or parts[2].rstrip("."))


def _is_loopback(name: str) -> bool:
    """Is it an address of this machine's loopback, in any form that a system takes?"""
    try:
        if _SHORT_IPV4.fullmatch(name):
            # 127.1 and 0x7f000001 are 127.0.0.1, and no name that could be looked up.
            return ipaddress.IPv4Address(socket.inet_aton(name)).is_loopback
        address = ipaddress.ip_address(name)
    except (ValueError, OSError):
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _shown(text: str) -> str:
    """Foreign words, fit for a sentence."""
    is_fit = [letter.isascii() and letter.isprintable() and letter not in '"\\' for letter in text]
    return "".join(letter if fits else "?" for letter, fits in zip(text, is_fit, strict=True))[:100]


def _forbidden(message: str, remedy: str) -> Trouble:
    return Trouble(403, "forbidden", message, remedy, may_retry=False)
