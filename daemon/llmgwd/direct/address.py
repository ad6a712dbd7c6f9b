"""Where an upstream is, read from the URL of a route. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from llmgwd.config.address import bracketed
from llmgwd.errors import ConfigError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


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
            "Give the address alone: clients send their key themselves.",
        )
    prefix = parts.path.rstrip("/")
    return Address(
        parts.scheme == "https", parts.hostname, port or _DEFAULT_PORTS[parts.scheme], prefix
    )
