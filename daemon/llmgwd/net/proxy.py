"""Which proxy leads to an API server: the cluster's proxy-url, else the environment's.

The rules are those of kubectl (Go's httpproxy): HTTPS_PROXY for an https server, NO_PROXY with
names, domains, addresses and networks, and never a proxy to this machine itself. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmgwctl.wire import ConditionKind
from llmgwd.config.address import bracketed
from llmgwd.errors import Blocked

if TYPE_CHECKING:
    from llmgwd.net.server import Server

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; the login, if any, is never shown."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks5")

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    def __str__(self) -> str:
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"


def parse_proxy(url: str, origin: str) -> Proxy:
    """Read a proxy's URL; a bare host:port is an http proxy. `origin` is named in errors.

    Raises:
        Blocked: another scheme, no host or no port number.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        scheme, host = parts.scheme.lower(), parts.hostname
        port = parts.port or _DEFAULT_PORTS.get(scheme, 0)
    except ValueError:
        scheme, host, port = "", None, 0
    # urlsplit takes blanks away, with which kubectl refuses the URL.
    if not host or scheme not in _DEFAULT_PORTS or url.split() != [url]:
        raise Blocked(
            ConditionKind.KUBECONFIG_INVALID,
            f"{origin}: not a proxy that can be used",
            "Allowed are http://, https:// and socks5://HOST:PORT.",
        )
    return Proxy(scheme, host, port, parts.username or "", parts.password or "")


def choose_proxy(
    server: Server, proxy_url: str, origin: str, environment: Mapping[str, str]
) -> Proxy | None:
    """The proxy for a server, or None. A cluster's own `proxy_url` ignores NO_PROXY."""
    if proxy_url:
        return parse_proxy(proxy_url, origin)
    name = "HTTPS_PROXY" if server.is_tls else "HTTP_PROXY"
    url = _either(environment, name)
    if not url or is_exempt(server.host, server.port, _either(environment, "NO_PROXY")):
        return None
    return parse_proxy(url, f"environment: {name}")


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY, or being this machine, keeps a host from the proxy."""
    host = host.lower().rstrip(".")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    rules = (rule.strip().lower() for rule in no_proxy.split(","))
    return any(rule and _matches(host, port, address, rule) for rule in rules)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _matches(host: str, port: int, address: _Address | None, rule: str) -> bool:
    if rule == "*":
        return True
    if address is not None and "/" in rule:
        try:
            return address in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    name, colon, number = rule.rpartition(":")
    if colon and number.isdecimal() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return False
        rule = name
    rule = rule.strip("[]")
    if address is not None:
        return _address(rule) == address
    domain = rule.removeprefix("*")
    return host == domain or host.endswith(domain if domain[:1] == "." else f".{domain}")


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _either(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""
