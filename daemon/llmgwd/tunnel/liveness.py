"""Which tunnels are still to be believed, judged by what all of them hear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmgwd.tunnel.tunnel import LATE_REPLY_S, SILENT_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmgwd.tunnel.tunnel import Tunnel

# What a silent tunnel carries is given up after this, whether the path came back or not; and when
# it is back for as long as it was away, which is how long TCP may take to send again, up to this.
SILENT_FOR_GOOD_S: Final = 60.0
ECHO_S: Final = 30.0
# After sleep or a change of network, tunnels get this long to prove that they live.
WAKE_PATIENCE_S: Final = 1.5


def doubt_all(tunnels: Iterable[Tunnel], now: float) -> None:
    """We slept, or the network is another: what was alive then may be dead now."""
    for tunnel in tunnels:
        tunnel.doubt(now, WAKE_PATIENCE_S)


def suspect_if_late(tunnels: Iterable[Tunnel], now: float) -> None:
    """Where a reply is late, whoever comes waits for tunnels that prove that they live."""
    known = list(tunnels)
    if not any(tunnel.is_late(now) and not tunnel.is_doubted for tunnel in known):
        return
    for tunnel in known:
        if tunnel.is_late(now) or tunnel.heard_at < now - LATE_REPLY_S:
            tunnel.doubt(now, SILENT_AFTER_S)


def give_up_silent(
    tunnels: Sequence[Tunnel], now: float, up_since: float | None, dialled_at: float
) -> None:
    """End silent tunnels that do not come back although the path did.

    `up_since`: None while the route is down; `dialled_at`: when a tunnel last came to stand.
    """
    alive_at = max((dialled_at, *(tunnel.heard_at for tunnel in tunnels)))
    for tunnel in [each for each in tunnels if each.is_silent]:
        asked_at = now if tunnel.asked_at is None else tunnel.asked_at
        is_over = now - asked_at > SILENT_FOR_GOOD_S
        if up_since is not None and alive_at > asked_at:
            away_s = min(max(up_since - asked_at, 0.0), ECHO_S)
            is_over = is_over or now >= up_since + away_s
        if is_over:
            tunnel.condemn(now)
