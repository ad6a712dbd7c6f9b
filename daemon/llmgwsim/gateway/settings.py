"""How the simulated gateway is set up, and what its pods were asked: shared by all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class VirtualKey:
    alias: str
    spend: float = 0.0123
    max_budget: float | None = 10.0
    models: tuple[str, ...] = ()
    user_id: str = "demo-user"
    is_expired: bool = False
    is_blocked: bool = False


@dataclass
class GatewaySettings:
    """How the gateway is set up; shared by all pods, changed while they run."""

    master_key: str = "sk-demo-master-key"
    has_database: bool = False
    is_database_reachable: bool = True
    version: str = "1.80.0"
    models: tuple[str, ...] = ("claude-sonnet", "claude-haiku", "gpt-mini")
    keys: dict[str, VirtualKey] = field(default_factory=dict)
    # The gap between two pieces of a streamed answer, and how many there are.
    stream_gap_s: float = 0.02
    stream_pieces: int = 12
    # How long a model thinks before its first byte.
    think_s: float = 0.0

    @property
    def is_newer(self) -> bool:
        return tuple(int(part) for part in self.version.split(".")[:2]) >= (1, 100)


@dataclass
class GatewayRecord:
    """What the pods of one cluster were asked, for tests to look at."""

    seen: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    paid_health_calls: int = 0
    model_calls: int = 0
