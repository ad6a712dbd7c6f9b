"""The faults, each with what must be shown of it: one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmgwsim.remote import FaultClient

Act = Callable[["FaultClient"], Any]

# What is refused or reset is known at once, what falls silent only by the silence.
AT_ONCE_S = 2.0
BY_SILENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """`state` and `condition` must be shown within `within_s`, and none of `never` at any time.

    `check` is the doctor's first one that fails, with `cause` in its words; None: it finds nothing.
    `clients` may get these, where they wait at most for two seconds.
    """

    name: str
    begin: Act
    end: Act
    state: str
    condition: str
    check: str | None
    cause: str
    within_s: float = AT_ONCE_S
    never: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset({"ok", "503"})
    role: str = "admin"


_NO_BLAME = frozenset({"permission-denied", "login-expired", "upgrade-refused"})

TABLE = (
    Row(
        "kubelet stopped",
        lambda f: f.stop_kubelet(),
        lambda f: f.stop_kubelet(stopped=False),
        "reconnecting",
        "node-failing",
        "ways-in",
        "error dialing backend",
        never=_NO_BLAME,
        clients=frozenset({"ok", "503", "502", "cut"}),
    ),
    Row(
        "kubelet stopped, create-only role",
        lambda f: f.stop_kubelet(),
        lambda f: f.stop_kubelet(stopped=False),
        "reconnecting",
        "node-failing",
        "ways-in",
        "error dialing backend",
        never=_NO_BLAME,
        clients=frozenset({"ok", "503", "502", "cut"}),
        role="create-only",
    ),
    Row(
        "container runtime stopped, create-only role",
        lambda f: f.stop_runtime(),
        lambda f: f.stop_runtime(stopped=False),
        "reconnecting",
        "node-failing",
        "ways-in",
        "failed to find sandboxID",
        never=_NO_BLAME,
        clients=frozenset({"ok", "503", "502", "cut"}),
        role="create-only",
    ),
    Row(
        "all pods gone",
        lambda f: f.scale(replicas=0),
        lambda f: f.scale(replicas=2),
        "reconnecting",
        "no-pods",
        "pods",
        "has no pods",
        never=_NO_BLAME,
    ),
    Row(
        "service deleted",
        lambda f: f.remove_service(),
        lambda f: f.set_service(),
        "blocked",
        "target-missing",
        "target",
        "there is no service/litellm",
        never=_NO_BLAME,
    ),
    Row(
        "selector edited",
        lambda f: f.edit_service(selector={"app": "another"}),
        lambda f: f.set_service(),
        "reconnecting",
        "no-pods",
        "pods",
        "has no pods (selector app=another)",
        never=_NO_BLAME,
    ),
    Row(
        "port of the service edited",
        lambda f: f.edit_service(port=5000),
        lambda f: f.edit_service(port=4000),
        "blocked",
        "target-port-missing",
        "port",
        "service/litellm has no port 4000",
        never=_NO_BLAME,
    ),
    Row(
        "target port edited to a name that no pod has",
        lambda f: f.edit_service(target_port="web"),
        lambda f: f.edit_service(target_port="http"),
        "blocked",
        "target-port-missing",
        "port",
        'names a port "web"',
        never=_NO_BLAME,
    ),
    Row(
        "target port edited to a number that nothing listens at",
        lambda f: f.edit_service(target_port=4999),
        lambda f: f.edit_service(target_port=4000),
        "reconnecting",
        "dial-refused",
        "ways-in",
        "port 4999",
        never=_NO_BLAME,
    ),
    Row(
        "selector edited, where the role lets nothing be watched",
        lambda f: f.edit_service(selector={"app": "another"}),
        lambda f: f.set_service(),
        "reconnecting",
        "no-pods",
        "pods",
        "has no pods (selector app=another)",
        within_s=17.0,
        never=_NO_BLAME,
        role="no-watch",
    ),
    Row(
        "gateway hangs",
        lambda f: f.hang_gateway(),
        lambda f: f.hang_gateway(hangs=False),
        "degraded",
        "gateway-silent",
        "gateway",
        "no answer within",
        within_s=BY_SILENCE_S,
        never=_NO_BLAME,
    ),
    Row(
        "black hole",
        lambda f: f.black_hole(),
        lambda f: f.restore(cut=True),
        "reconnecting",
        "api-server-unreachable",
        "api-server",
        "what is sent goes nowhere",
        within_s=BY_SILENCE_S,
        never=_NO_BLAME,
        clients=frozenset({"ok", "503", "502", "cut"}),
    ),
    Row(
        "permission to forward taken away, and every tunnel cut",
        lambda f: (f.deny(verb="create", resource="pods/portforward"), f.cut()),
        lambda f: f.allow(),
        "blocked",
        "permission-denied",
        "permissions",
        "may not create pods/portforward",
        clients=frozenset({"ok", "503", "502", "cut"}),
        role="create-only",
    ),
    Row(
        "API server down",
        lambda f: f.api_down(),
        lambda f: f.api_up(),
        "reconnecting",
        "api-server-unreachable",
        "api-server",
        "refused",
        never=_NO_BLAME,
        clients=frozenset({"ok", "503", "502", "cut"}),
    ),
    Row(
        "API server down, its roles loaded a second after its start",
        lambda f: f.api_down(),
        lambda f: f.api_up(rbac_after_s=1.0),
        "reconnecting",
        "api-server-unreachable",
        "api-server",
        "refused",
        never=_NO_BLAME,
        clients=frozenset({"ok", "503", "502", "cut"}),
        role="create-only",
    ),
    *(
        Row(
            f"a portal's {status} in the way",
            lambda f, status=status: (f.captive_portal(status=status), f.cut()),  # type: ignore[misc]
            lambda f: f.captive_portal(status=None),
            "reconnecting",
            "api-server-failing",
            "api-server",
            "something that is no API server",
            never=_NO_BLAME - {"upgrade-refused"},
            clients=frozenset({"ok", "503", "502", "cut"}),
        )
        for status in (302, 401, 403)
    ),
)
