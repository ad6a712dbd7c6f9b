"""Where an API server is, as data."""

from __future__ import annotations

from dataclasses import dataclass

from llmgwd.config.address import bracketed


@dataclass(frozen=True, slots=True)
class Server:
    """`prefix` comes before every path (Rancher's, kubectl proxy's)."""

    host: str
    port: int
    prefix: str
    is_tls: bool

    @property
    def authority(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"

    def __str__(self) -> str:
        return f"http{'s' if self.is_tls else ''}://{self.authority}{self.prefix}"
