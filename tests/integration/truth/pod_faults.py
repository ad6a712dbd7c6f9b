"""Faults of the node, of pods, and of the gateway in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from row import AFTER_GRACE_S, BY_SILENCE_S, CUT, Row

if TYPE_CHECKING:
    from scene import Scene


def crash(scene: Scene) -> None:
    for pod in scene.faults.pods():
        scene.faults.crash(pod=pod["name"], restart_after_s=60)


def set_ready(scene: Scene, ready: bool) -> None:
    for pod in scene.faults.pods():
        scene.faults.set_ready(ready=ready, pod=pod["name"])


NODE = (
    *(
        Row(
            f"kubelet stopped, {role} role",
            lambda s: s.faults.stop_kubelet(),
            lambda s: s.faults.stop_kubelet(stopped=False),
            "reconnecting",
            "node-failing",
            "ways-in",
            "error dialing backend",
            clients=CUT,
            role=role,
        )
        for role in ("admin", "create-only")
    ),
    Row(
        "container runtime stopped, create-only role",
        lambda s: s.faults.stop_runtime(),
        lambda s: s.faults.stop_runtime(stopped=False),
        "reconnecting",
        "node-failing",
        "ways-in",
        "failed to find sandboxID",
        clients=CUT,
        role="create-only",
    ),
    Row(
        "node without heartbeats",
        lambda s: s.faults.lose_node(),
        lambda s: s.faults.lose_node(lost=False),
        "degraded",
        "unready-pod-used",
        None,
        "its node demo-node may not report",
        clients=frozenset({"ok"}),
    ),
)
PODS = (
    Row(
        "all pods gone",
        lambda s: s.faults.scale(replicas=0),
        lambda s: s.faults.scale(replicas=2),
        "reconnecting",
        "no-pods",
        "pods",
        "has no pods",
    ),
    Row(
        "crash loop",
        crash,
        lambda s: s.faults.roll(),
        "reconnecting",
        "no-ready-pod",
        "pods",
        "litellm: CrashLoopBackOff",
        clients=CUT,
    ),
    *(
        Row(
            f"pods that never start: {reason}",
            lambda s, reason=reason: s.faults.stick_pods(reason=reason),  # type: ignore[misc]
            lambda s: s.faults.stick_pods(reason=None),
            "reconnecting",
            "no-ready-pod",
            "pods",
            words,
            clients=CUT,
        )
        for reason, words in (
            ("ImagePullBackOff", "litellm: ImagePullBackOff"),
            ("Unschedulable", "Pending: 0/1 nodes are available: 1 Insufficient memory"),
        )
    ),
    Row(
        "pods evicted",
        lambda s: s.faults.evict(),
        lambda s: s.faults.stick_pods(reason=None),
        "reconnecting",
        "no-ready-pod",
        "pods",
        "(Failed: Evicted)",
        clients=CUT,
    ),
    Row(
        "pods that run and are not ready",
        lambda s: set_ready(s, ready=False),
        lambda s: set_ready(s, ready=True),
        "degraded",
        "unready-pod-used",
        None,
        "running, not Ready",
        clients=frozenset({"ok"}),
    ),
    Row(
        "target port edited to a number that nothing listens at",
        lambda s: s.faults.edit_service(target_port=4999),
        lambda s: s.faults.edit_service(target_port=4000),
        "reconnecting",
        "dial-refused",
        "ways-in",
        "nothing listens on port 4999",
    ),
)
GATEWAY = (
    Row(
        "gateway hangs",
        lambda s: s.faults.hang_gateway(),
        lambda s: s.faults.hang_gateway(hangs=False),
        "degraded",
        "gateway-silent",
        "gateway",
        "no answer within",
        within_s=BY_SILENCE_S,
    ),
    Row(
        "gateway hangs in one pod of two",
        lambda s: s.faults.hang_gateway(pod=s.faults.pods()[0]["name"]),
        lambda s: s.faults.hang_gateway(hangs=False),
        "degraded",
        "gateway-silent",
        None,
        "no answer within",
        within_s=BY_SILENCE_S,
        clients=frozenset({"ok"}),
    ),
    Row(
        "gateway fails each request",
        lambda s: s.faults.spoil_gateway(how="error"),
        lambda s: s.faults.spoil_gateway(how=None),
        "degraded",
        "gateway-unhealthy",
        "gateway",
        "/health/liveliness with 500",
        clients=frozenset({"ok", "500"}),
    ),
    Row(
        "another program behind the port",
        lambda s: s.faults.spoil_gateway(how="page"),
        lambda s: s.faults.spoil_gateway(how=None),
        "degraded",
        "not-litellm",
        "gateway",
        "that is not LiteLLM",
        clients=frozenset({"ok", "404"}),
    ),
    Row(
        "gateway closes without an answer",
        lambda s: s.faults.spoil_gateway(how="close"),
        lambda s: s.faults.spoil_gateway(how=None),
        "degraded",
        "gateway-unhealthy",
        "gateway",
        "closed the connection without an answer",
        within_s=AFTER_GRACE_S,
        clients=CUT,
    ),
)
