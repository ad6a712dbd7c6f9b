"""IP addresses and host names in text: the one test of the family, and the brackets of IPv6."""

from __future__ import annotations

import socket


def family(host: str) -> socket.AddressFamily:
    """The family of an IP address; a name counts as IPv4, for which it may be resolved."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def bracketed(host: str) -> str:
    """As it stands in a URL or before a port (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host
