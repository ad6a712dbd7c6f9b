"""What the configuration of a forward lets others on the network see or use. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmgwd.config.model import UrlRoute

if TYPE_CHECKING:
    from llmgwd.config.model import ForwardConfig


def exposures(forward: ForwardConfig) -> Iterator[str]:
    """Give a sentence for each."""
    for address in forward.listen:
        if not _is_loopback(address.host):
            whom = "can use" if forward.allow.is_anyone else "can reach"
            yield f"Other machines {whom} the gateway at {address}."
    for route in forward.routes:
        if isinstance(route, UrlRoute):
            parts = urlsplit(route.url)
            if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
                yield f"Keys and prompts go to {parts.hostname} unencrypted (http://)."


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
