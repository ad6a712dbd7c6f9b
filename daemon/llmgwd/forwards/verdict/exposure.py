"""What the configuration lets others on the network see or use. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from llmgwd.config.model import UrlRoute

if TYPE_CHECKING:
    from llmgwd.config.model import Allow, ForwardConfig, ListenAddress, MetricsConfig

REMEDY: Final = "Listen on localhost and use https, unless this is meant so."


def exposures(forward: ForwardConfig) -> Iterator[str]:
    """Give a sentence for each."""
    for address in forward.listen:
        yield from _listening(address, forward.allow, "the gateway")
    for route in forward.routes:
        if isinstance(route, UrlRoute):
            parts = urlsplit(route.url)
            if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
                yield f"Keys and prompts go to {parts.hostname} unencrypted (http://)."


def exposures_of_metrics(metrics: MetricsConfig | None) -> Iterator[str]:
    if metrics is not None:
        yield from _listening(metrics.listen, metrics.allow, "the metrics")


def _listening(address: ListenAddress, allow: Allow, what: str) -> Iterator[str]:
    if not _is_loopback(address.host):
        may = "use" if allow.is_anyone else "reach"
        yield f"Other machines can {may} {what} at {address}."


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
