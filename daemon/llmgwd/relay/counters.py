"""What one forward has carried since the daemon started."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class ForwardCounters:
    """Counts that only rise, and how many connections are open now; the fields of `Counters`."""

    connections: int = 0
    held: int = 0
    hold_expired: int = 0
    redialed: int = 0
    cut: int = 0
    failed: int = 0
    outages: int = 0
    refused: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0

    def as_counters(self) -> dict[str, int]:
        return asdict(self)
