"""The pod an upgrade was made for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from llmgwsim.world.pod import Pod

# Finds the pod as the node has it now; None: no longer there.
Lookup = Callable[[], Pod | None]
# How long the server waits for the second stream of a pair.
PAIR_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """The pod an upgrade was made for; it may be gone when a stream asks for it."""

    namespace: str
    name: str
    uid: str
    lookup: Lookup
    pair_timeout_s: float = PAIR_TIMEOUT_S

    def failure(self, port: int, cause: str) -> str:
        """In the kubelet's words, which knows the pod by its sandbox, and no uid."""
        sandbox = hashlib.sha256(self.uid.encode()).hexdigest()
        return f"error forwarding port {port} to pod {sandbox}, uid : {cause}"

    def pod(self) -> Pod | None:
        pod = self.lookup()
        return pod if pod is not None and pod.uid == self.uid else None
