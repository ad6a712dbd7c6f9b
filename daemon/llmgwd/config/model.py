"""What the person configured, as data.

The rest of the daemon sees these frozen values and never a file; `config_file` reads one into them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from llmgwd.config.address import bracketed
from llmgwd.config.target import DEFAULT_TARGET, Target

# The name that the raw manifests of the LiteLLM documentation use, and its key.
DEFAULT_KEY_SECRET: Final = "litellm-secrets/LITELLM_MASTER_KEY"  # noqa: S105 - a name, not a secret

DEFAULT_PORT: Final = 4000


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


@dataclass(frozen=True, slots=True)
class Probe:
    """How health is asked through the route: kind "litellm", "tcp", "http" (with path) or "off"."""

    kind: str = "litellm"
    path: str = "/health/liveliness"
    every_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ForwardConfig:
    """One forward. Its routes come in order of preference; there is at least one."""

    name: str
    listen: tuple[ListenAddress, ...]
    routes: tuple[ClusterRoute | UrlRoute, ...]
    hold_s: float = 30.0
    hold_limit: int = 256
    probe: Probe = field(default_factory=Probe)
    tunnel_limit: int = 64
    protocol: Protocol = Protocol.AUTO


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the gateway's key comes from; exactly one field is set."""

    env: str | None = None
    file: str | None = None
    command: tuple[str, ...] | None = None
    secret: str | None = None  # "name/KEY", in the forward's namespace


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    key: KeySource = field(default_factory=lambda: KeySource(secret=DEFAULT_KEY_SECRET))


@dataclass(frozen=True, slots=True)
class Config:
    """Everything. `metrics` is None unless metrics are offered on a TCP port too."""

    path: str
    is_present: bool
    forwards: tuple[ForwardConfig, ...]
    gateway: GatewayConfig = field(default_factory=GatewayConfig)
    metrics: ListenAddress | None = None
    log_level: str = "info"


def localhost(port: int) -> tuple[ListenAddress, ...]:
    """Both addresses that "localhost" stands for; a client may try either first."""
    return ListenAddress("127.0.0.1", port), ListenAddress("::1", port)


def default_forward(port: int = DEFAULT_PORT) -> ForwardConfig:
    """The forward of somebody who configured none."""
    return ForwardConfig("litellm", localhost(port), (ClusterRoute(),))
