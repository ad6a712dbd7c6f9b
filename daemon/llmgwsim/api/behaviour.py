"""How the simulated API server behaves at present: what the faults turn on and off."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Behaviour:
    """Set by faults, read with each request; the defaults are a healthy 1.36 server."""

    # Before 1.35 both WebSocket ways ask for `get` alone.
    websocket_verbs: Literal["get", "get,create"] = "get,create"
    # A proxy's status for an upgrade of this kind, None: it passes.
    refuse_spdy: int | None = None
    refuse_websocket: int | None = None
    # Every REST request waits this long.
    delay_s: float = 0.0
    # The status of this many next REST requests, -1: of all.
    fail_status: int | None = None
    fail_count: int = 0
    retry_after_s: int | None = None
    # REST requests are read and never answered; with `hangs_upgrades` upgrades are too.
    hangs: bool = False
    hangs_upgrades: bool = False
    hangs_watches: bool = False
    # A page in between (a captive portal, a login of a proxy) answers everything with this status.
    portal_status: int | None = None
    # The status and the words with which admission denies every port-forward.
    denial: tuple[int, str] | None = None
    # What of the node is stopped: its pods go on, but the API server does not reach them.
    stopped: Literal["kubelet", "runtime"] | None = None
    # Until this instant of the loop's clock the roles are not loaded, as after a start.
    rbac_loaded_at: float = 0.0
    # Raised to end every open watch.
    watch_epoch: int = 0
    gone_as: Literal["http", "event"] = "event"
    bookmark_s: float = 10.0
    pair_timeout_s: float = 30.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Let requests that hang look at what changed."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def take_failure(self) -> int | None:
        if self.fail_status is None or self.fail_count == 0:
            return None
        if self.fail_count > 0:
            self.fail_count -= 1
        return self.fail_status
