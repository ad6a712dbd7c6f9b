"""Which tunnels are still to be believed, judged by what all of them hear.

One tunnel's silence says little about the path; what its neighbours hear at the same time says
much. A tunnel in use that fell silent is kept for as long as the path may be away with it: cutting
it would lose an answer that TCP is about to deliver. Once another tunnel is heard, or one could be
dialled, the path is proved to be there. From then on the silent one gets as long as the path was
away, because TCP doubles its pause between retransmissions and so may sleep on for about as long
as it has slept already. Giving it up at once was tried: every answer that had survived a lift of
10 s was then lost one second after the lift. Waiting for TCP's own verdict was tried too: it takes
15 minutes, during which the client sees an answer that stands still.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from llmgwd.tunnel import liveness

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmgwd.tunnel.tunnel import Tunnel

# What a silent tunnel carries is given up after this, whether the path came back or not; and when
# it is back for as long as it was away, which is how long TCP may take to send again, up to this.
SILENT_FOR_GOOD_S: Final = 60.0
ECHO_S: Final = 30.0
# After sleep or a change of network, tunnels get this long to prove that they live.
WAKE_PATIENCE_S: Final = 1.5


def ping_round(tunnels: Iterable[Tunnel], now: float, *, is_unused: bool) -> None:
    """Ping every tunnel that is due soon as soon as one is due now; rarely where no one comes.

    After a few rounds all of them are pinged at one instant, so that ten idle tunnels wake the
    daemon as rarely as one. Half a period of tolerance suffices: of two tunnels one is always
    within it of the other.
    """
    known = list(tunnels)
    if is_unused:
        for tunnel in known:
            tunnel.liveness.ping_every_s = liveness.UNUSED_PING_EVERY_S
    if any(tunnel.liveness.is_ping_due(now) for tunnel in known):
        for tunnel in known:
            if tunnel.liveness.is_ping_due(now, tunnel.liveness.ping_every_s / 2):
                tunnel.ping(now)


def ping_as_usual(tunnels: Iterable[Tunnel], now: float) -> None:
    """Someone uses the route again: what was not heard since the usual time proves itself first."""
    for tunnel in tunnels:
        tunnel.liveness.ping_every_s = liveness.PING_EVERY_S
        if tunnel.is_doubted:
            tunnel.doubt(now, WAKE_PATIENCE_S)


def doubt_all(tunnels: Iterable[Tunnel], now: float) -> None:
    """We slept, or the network is another: what was alive then may be dead now."""
    for tunnel in tunnels:
        tunnel.doubt(now, WAKE_PATIENCE_S)


def suspect_if_late(tunnels: Iterable[Tunnel], now: float) -> None:
    """Where a reply is late, new streams wait for tunnels that prove that they live."""
    known = list(tunnels)
    is_news = any(t.liveness.is_late(now) and not t.liveness.is_doubted(now) for t in known)
    if not is_news:
        return
    for tunnel in known:
        is_quiet = tunnel.liveness.heard_at < now - liveness.LATE_REPLY_S
        if is_quiet or tunnel.liveness.is_late(now):
            tunnel.doubt(now, liveness.SILENT_AFTER_S)


def give_up_silent(
    tunnels: Sequence[Tunnel], now: float, up_since: float | None, dialled_at: float
) -> None:
    """End silent tunnels that do not come back although the path did.

    `up_since`: None while the route is down; `dialled_at`: when a tunnel last came to stand.
    """
    for tunnel, over_at in _ends(tunnels, now, up_since, dialled_at):
        if now >= over_at:
            tunnel.condemn(now)


def given_up_at(
    tunnels: Sequence[Tunnel], now: float, up_since: float | None, dialled_at: float
) -> float:
    """Return when the next silent tunnel will be ended, unless it is heard before."""
    ends = _ends(tunnels, now, up_since, dialled_at)
    return min((over_at for _, over_at in ends), default=inf)


def _ends(
    tunnels: Sequence[Tunnel], now: float, up_since: float | None, dialled_at: float
) -> list[tuple[Tunnel, float]]:
    silent = [tunnel for tunnel in tunnels if tunnel.liveness.is_silent]
    if not silent:
        return []
    alive_at = max((dialled_at, *(tunnel.liveness.heard_at for tunnel in tunnels)))
    ends = []
    for tunnel in silent:
        asked_at = now if tunnel.liveness.asked_at is None else tunnel.liveness.asked_at
        over_at = asked_at + SILENT_FOR_GOOD_S
        if up_since is not None and alive_at > asked_at:
            away_s = min(max(up_since - asked_at, 0.0), ECHO_S)
            over_at = min(over_at, up_since + away_s)
        ends.append((tunnel, over_at))
    return ends
