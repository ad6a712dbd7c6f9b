"""What became of each request of a load: who asked, when, on which connection, and its end."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fate:
    """Instants are of the monotonic clock, which Python and Node read from one source on Linux.

    `what` is "ok", an HTTP status, "refused" (no connection), "reset" (it ended before a byte of
    the answer), "cut" (in the middle), "silent" (no end within the client's patience) or "corrupt".
    `is_kept`: the connection had carried a request before; None: the client does not say.
    """

    client: str
    name: str
    began_at: float
    took_s: float
    what: str
    first_byte_s: float | None = None
    is_kept: bool | None = None

    @property
    def is_lost(self) -> bool:
        return self.what != "ok"

    def was_under_way(self, instant: float, slack_s: float = 0.1) -> bool:
        return self.began_at - slack_s <= instant <= self.began_at + self.took_s + slack_s


@dataclass
class Ledger:
    """The fates of one load, in the order in which they ended."""

    fates: list[Fate] = field(default_factory=list)

    def add(self, fate: Fate) -> None:
        self.fates.append(fate)

    @property
    def lost(self) -> list[Fate]:
        return [fate for fate in self.fates if fate.is_lost]

    def lost_but_under_way(self, instants: Iterable[float]) -> list[Fate]:
        """The lost ones that were not under way at any of these instants."""
        moments = list(instants)
        return [fate for fate in self.lost if not any(map(fate.was_under_way, moments))]

    @property
    def longest_s(self) -> float:
        """The longest that a request took which was answered."""
        return max((fate.took_s for fate in self.fates if not fate.is_lost), default=0.0)

    def first_byte_p50_ms(self, is_kept: bool) -> float:
        """The median time to the first byte, in milliseconds; nan: there was none to measure."""
        times = [
            fate.first_byte_s
            for fate in self.fates
            if fate.is_kept is is_kept and fate.first_byte_s is not None and not fate.is_lost
        ]
        return statistics.median(times) * 1000 if times else float("nan")

    def summary(self) -> str:
        """One line a kind of client: how many were asked, and what became of those not answered."""
        clients = sorted({fate.client for fate in self.fates})
        return "\n".join(self._line(client) for client in clients)

    def _line(self, client: str) -> str:
        fates = [fate for fate in self.fates if fate.client == client]
        lost = Counter(fate.what for fate in fates if fate.is_lost)
        ends = ", ".join(f"{count} {what}" for what, count in lost.most_common()) or "none lost"
        return f"{client}: {len(fates)} asked, {ends}"
