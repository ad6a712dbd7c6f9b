"""What the person configured, as data.

The rest of the daemon sees these frozen values and never a file; `file` reads one into them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from llmgwd.config import key_source
from llmgwd.config.address import bracketed
from llmgwd.config.target import DEFAULT_TARGET, Target

DEFAULT_PORT: Final = 4000
# Of `allow`: everyone on this machine.
ANYONE: Final = "anyone"


class Protocol(StrEnum):
    """How the connections of a forward are read: `auto` decides by each one's first bytes."""

    AUTO = "auto"
    HTTP = "http"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """One local address. `localhost:4000` gives two: 127.0.0.1 and ::1."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClusterRoute:
    """The way to the gateway through a cluster. `context` None: whatever is current."""

    namespace: str = "litellm"
    target: Target = DEFAULT_TARGET
    port: str = "4000"  # number or name
    context: str | None = None
    kubeconfig: str | None = None


@dataclass(frozen=True, slots=True)
class UrlRoute:
    """The way to the gateway through an https (or http) URL."""

    url: str


class ProbeKind(StrEnum):
    """How health is asked for."""

    LITELLM = "litellm"
    TCP = "tcp"
    HTTP = "http"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Probe:
    """How, how often, and (by HTTP) with which path health is asked for through the route."""

    kind: ProbeKind = ProbeKind.LITELLM
    path: str = "/health/liveliness"
    every_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Allow:
    """Who may connect besides this user and root: named users, or anyone on this machine."""

    users: tuple[str, ...] = ()
    is_anyone: bool = False


@dataclass(frozen=True, slots=True)
class ForwardConfig:
    """One forward. Its routes come in order of preference; there is at least one.

    `key` is of the gateway that it leads to, None where none is configured for that one.
    `hosts` and `origins` are those of web requests that are taken besides this machine's own, in
    lower case and, for hosts, without ports.
    """

    name: str
    listen: tuple[ListenAddress, ...]
    routes: tuple[ClusterRoute | UrlRoute, ...]
    hold_s: float = 30.0
    hold_limit: int = 256
    probe: Probe = field(default_factory=Probe)
    tunnel_limit: int = 64
    protocol: Protocol = Protocol.AUTO
    allow: Allow = Allow()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    key: key_source.KeySource | None = key_source.DEFAULT
    injects_key: bool = False


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Of the gateway that the first forward leads to, and those named in `forwards`."""

    key: key_source.KeySource = key_source.DEFAULT
    injects_key: bool = False
    forwards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    listen: ListenAddress
    allow: Allow = Allow()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything. `metrics` is None unless metrics are offered on a TCP port too."""

    path: str
    is_present: bool
    forwards: tuple[ForwardConfig, ...]
    gateway: GatewayConfig = field(default_factory=GatewayConfig)
    metrics: MetricsConfig | None = None
    log_level: str = "info"
    notify: bool = True


def localhost(port: int) -> tuple[ListenAddress, ...]:
    """Both addresses that "localhost" stands for; a client may try either first."""
    return ListenAddress("127.0.0.1", port), ListenAddress("::1", port)


def default_forward(port: int = DEFAULT_PORT) -> ForwardConfig:
    """Give the forward that needs no configuration."""
    return ForwardConfig("litellm", localhost(port), (ClusterRoute(),))
