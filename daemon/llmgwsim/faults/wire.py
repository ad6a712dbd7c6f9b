"""Faults of the network, of the API server's process and of upgrades; and what was counted."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING, Any

from llmgwsim.faults.base import FaultCalls
from llmgwsim.net.tls import Authority

if TYPE_CHECKING:
    from llmgwsim.net.network import Direction


class WireFaults(FaultCalls):
    def reset_streams(self) -> int:
        """Reset every forwarded stream, keep the connections; returns how many upgrades."""
        return self._cluster.api.upgrades.reset_streams()

    def cut(self, reset: bool = False) -> int:
        """Drop every connection to the API server at once, by FIN or RST."""
        return self._cluster.network.cut(reset)

    def black_hole(
        self, direction: Direction = "both", existing: bool = True, new: bool = True
    ) -> int:
        """Let nothing through and close nothing: `in` is towards the server, `out` from it."""
        if direction not in ("in", "out", "both"):
            raise ValueError("direction is one of in, out, both")
        return self._cluster.network.black_hole(direction, existing, new)

    def restore(self, cut: bool = False) -> None:
        """End the black hole; `cut` drops what was in it, as a peer that gave up meanwhile."""
        if cut:
            self._cluster.network.cut(reset=True)
        self._cluster.network.restore()

    def set_rtt(self, rtt_s: float) -> None:
        """Add a round-trip time to every connection, the living ones too."""
        self._cluster.network.rtt_s = rtt_s

    def api_down(self, graceful: bool = False, upgrades_live_s: float = 60.0) -> None:
        """Stop the API server: SIGKILL, or SIGTERM that leaves upgrades living for a while."""
        if graceful:
            self._behaviour.watch_epoch += 1
            self._world.store.wake()
            self._cluster.server.terminate(upgrades_live_s)
        else:
            self._cluster.server.kill()

    async def api_up(self, rbac_after_s: float = 0.0) -> None:
        """Start the API server again, on the same port; it refuses all until roles are loaded."""
        loop = asyncio.get_running_loop()
        self._behaviour.rbac_loaded_at = loop.time() + rbac_after_s
        await self._cluster.server.start()

    def show_certificate(self, kind: str | None = "expired") -> None:
        """Show new connections a certificate that is expired, not-yet-valid, of another-name or of
        another-authority; null: the right one.
        """
        authority = self._cluster.server.authority
        year = datetime.timedelta(days=365)
        match kind:
            case None:
                shown = None
            case "expired":
                shown = authority.server(-year)
            case "not-yet-valid":
                shown = authority.server(year)
            case "another-name":
                shown = authority.server(name="kubernetes.example")
            case "another-authority":
                shown = Authority().server()
            case _:
                raise ValueError(f"{kind} is no kind of certificate")
        self._cluster.server.show(shown)

    def refuse_upgrades(self, spdy: int | None = None, websocket: int | None = None) -> None:
        """Answer upgrades of a kind with this status, as a proxy; null lets them pass."""
        self._behaviour.refuse_spdy, self._behaviour.refuse_websocket = spdy, websocket

    def counts(self) -> dict[str, Any]:
        """What was asked of the API server and the gateways so far."""
        cluster, record = self._cluster, self._world.record
        return {
            "connections": cluster.network.accepted,
            "open_connections": len(cluster.network.wires),
            "open_upgrades": len(cluster.api.upgrades.open),
            "upgrades": dict(cluster.api.upgrades.counts),
            "requests": dict(cluster.api.request_counts),
            "gateway_requests": dict(record.requests),
            "paid_health_calls": record.paid_health_calls,
            "model_calls": record.model_calls,
            "open_streams": sum(
                upgrade.session.stream_count
                for upgrade in cluster.api.upgrades.open
                if upgrade.session is not None
            ),
        }

    def seen(self) -> dict[str, int]:
        """How often each X-Request-Id reached a gateway, over all pods."""
        return dict(self._world.record.seen)

    def clear_seen(self) -> None:
        self._world.record.seen.clear()
