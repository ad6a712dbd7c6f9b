"""Statuses as a daemon would give them, for what draws them. Plain data, no daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llmgwctl.rules.timestamps import seconds_of

if TYPE_CHECKING:
    from llmgwctl.wire import ConditionStatus, ForwardStatus, PodStatus, RouteStatus, Status

NOW_STAMP = "2026-03-01T12:00:00.000Z"
NOW = seconds_of(NOW_STAMP) or 0.0


def condition(
    kind: str, severity: str, summary: str, remedy: str = "", hidden_by: str | None = None
) -> ConditionStatus:
    return {
        "kind": kind,
        "severity": severity,
        "since": "2026-03-01T11:58:00.000Z",
        "summary": summary,
        "remedy": remedy,
        "hidden_by": hidden_by,
    }


def pod(name: str = "litellm-7c9d8f6b54-x2x9k", **changes: Any) -> PodStatus:
    found: dict[str, Any] = {
        "name": name,
        "ready": True,
        "terminating": False,
        "tunnels": 3,
        "streams": 2,
    }
    return cast("PodStatus", found | changes)


def route(**changes: Any) -> RouteStatus:
    found: dict[str, Any] = {
        "kind": "kubernetes",
        "name": "kubernetes",
        "is_up": True,
        "is_active": True,
        "context": "homelab",
        "cluster": "homelab",
        "namespace": "litellm",
        "target": "service/litellm",
        "port": "4000",
        "way": "spdy",
        "pods": [pod()],
        "tunnels": {"idle": 4, "busy": 2, "draining": 0, "dialing": 0},
        "since": "2026-03-01T08:30:00.000Z",
        "attempts": 0,
        "retry_at": None,
        "round_trip_s": 0.012,
    }
    return cast("RouteStatus", found | changes)


def url_route(url: str = "https://litellm.your-tailnet.ts.net", **changes: Any) -> RouteStatus:
    return route(
        kind="url",
        name=url,
        context=None,
        cluster=None,
        namespace=None,
        target=None,
        port=None,
        way=None,
        pods=[],
        tunnels=None,
        round_trip_s=None,
        **changes,
    )


def lost_route(**changes: Any) -> RouteStatus:
    return route(
        **{
            "is_up": False,
            "pods": [],
            "tunnels": {"idle": 0, "busy": 0, "draining": 0, "dialing": 1},
            "attempts": 4,
            "retry_at": "2026-03-01T12:00:03.500Z",
            "round_trip_s": None,
            "way": None,
        }
        | changes
    )


def forward(name: str = "litellm", state: str = "ready", **changes: Any) -> ForwardStatus:
    found: dict[str, Any] = {
        "name": name,
        "state": state,
        "since": "2026-03-01T08:30:00.000Z",
        "listen": ["127.0.0.1:4000", "[::1]:4000"],
        "listen_wanted": ["127.0.0.1:4000", "[::1]:4000"],
        "routes": [route()],
        "streams": 2,
        "held": 0,
        "gateway": {
            "probe": "litellm",
            "healthy": True,
            "latency_s": 0.008,
            "checked_at": "2026-03-01T11:59:56.000Z",
            "version": "1.80.0",
            "database": "connected",
        },
        "counters": {
            "connections": 1204,
            "held": 3,
            "hold_expired": 0,
            "redialed": 1,
            "cut": 0,
            "failed": 0,
            "outages": 1,
            "refused": 0,
            "sent_bytes": 12_300_000,
            "received_bytes": 451_000_000,
        },
        "conditions": [],
    }
    return cast("ForwardStatus", found | changes)


def no_answer(**changes: Any) -> dict[str, Any]:
    """The gateway of a forward that was not probed successfully."""
    return {
        "probe": "litellm",
        "healthy": None,
        "latency_s": None,
        "checked_at": None,
        "version": None,
        "database": None,
    } | changes


def status(*forwards: ForwardStatus, **changes: Any) -> Status:
    found: dict[str, Any] = {
        "api": 1,
        "version": "0.1.0",
        "pid": 4242,
        "started_at": "2026-03-01T08:29:59.000Z",
        "state": forwards[0]["state"] if forwards else "ready",
        "config": {
            "path": "/home/ada/.config/llmgw/config.toml",
            "is_present": True,
            "loaded_at": "2026-03-01T08:29:59.000Z",
            "error": None,
        },
        "conditions": [],
        "forwards": list(forwards),
    }
    return cast("Status", found | changes)


def ports(number: int) -> dict[str, Any]:
    both = [f"127.0.0.1:{number}", f"[::1]:{number}"]
    return {"listen": both, "listen_wanted": both}


POD_GONE = condition(
    "no-ready-pod",
    "error",
    "none of the 2 pods of service/litellm in namespace litellm is ready",
    "kubectl --context homelab -n litellm get pods",
)
LOGIN = condition(
    "login-expired",
    "error",
    "your login to the cluster homelab has expired: the API server answered 401 Unauthorized",
    "aws sso login --profile homelab",
)
RULE = """\
kubectl apply -f - <<'EOF'
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: llmgw, namespace: litellm}
rules:
- apiGroups: [""]
  resources: [pods/portforward]
  verbs: [create]
EOF"""

READY = status(forward())
DEGRADED = status(
    forward(
        state="degraded",
        since="2026-03-01T11:57:30.000Z",
        routes=[lost_route(is_active=False), url_route(since="2026-03-01T11:57:30.000Z")],
        conditions=[
            condition(
                "on-fallback",
                "warning",
                "the cluster route is down, so requests go to https://litellm.your-tailnet.ts.net",
            ),
            condition(
                "api-server-unreachable",
                "warning",
                "the API server 10.0.0.1:6443 of homelab does not answer",
                "check the VPN, or: kubectl --context homelab version",
            ),
        ],
    )
)
RECONNECTING = status(
    forward(
        state="reconnecting",
        since="2026-03-01T11:59:18.000Z",
        routes=[lost_route()],
        streams=0,
        gateway=no_answer(),
        conditions=[
            condition("gateway-silent", "error", "the gateway is silent", "", "no-ready-pod"),
            POD_GONE,
        ],
    )
)
BLOCKED = status(
    forward(
        state="blocked",
        since="2026-03-01T11:40:00.000Z",
        routes=[lost_route(attempts=1, retry_at="2026-03-01T12:00:25.000Z")],
        streams=0,
        gateway=no_answer(),
        conditions=[LOGIN],
    )
)
FORBIDDEN = status(
    forward(
        state="blocked",
        since="2026-03-01T11:40:00.000Z",
        routes=[lost_route(attempts=1, retry_at=None)],
        streams=0,
        gateway=no_answer(),
        conditions=[
            condition(
                "permission-denied",
                "error",
                "you may not create pods/portforward in namespace litellm",
                RULE,
            )
        ],
    )
)
HOLDING = status(
    forward(
        state="reconnecting",
        since="2026-03-01T11:59:51.000Z",
        routes=[lost_route(attempts=2)],
        streams=1,
        held=7,
        gateway=no_answer(),
        conditions=[POD_GONE],
    )
)
STARTING = status(
    forward(
        state="starting",
        since="2026-03-01T11:59:59.000Z",
        routes=[lost_route(attempts=0, retry_at=None)],
        streams=0,
        gateway=no_answer(),
    )
)
STOPPED = status(
    forward(
        state="stopped",
        since="2026-03-01T11:00:00.000Z",
        listen=[],
        routes=[lost_route(attempts=0, retry_at=None)],
        streams=0,
        gateway=no_answer(),
    )
)
SEVERAL = status(
    forward(streams=12, routes=[route(pods=[pod(), pod("litellm-7c9d8f6b54-q7wzt")])]),
    forward(
        "dashboard",
        "blocked",
        since="2026-03-01T11:58:00.000Z",
        **ports(8080),
        routes=[lost_route(port="8080", retry_at=None)],
        streams=0,
        conditions=[LOGIN],
    ),
    forward(
        "staging",
        "reconnecting",
        since="2026-03-01T11:59:48.000Z",
        **ports(4001),
        routes=[lost_route(context="staging", target="deployment/litellm-proxy", port="http")],
        streams=1,
        held=3,
        conditions=[POD_GONE],
    ),
    forward("old", "stopped", since="2026-02-20T11:59:48.000Z", **ports(4002), streams=0),
    state="blocked",
)
LONG_NAMES = status(
    forward(
        "production-litellm-gateway-eu-central-1",
        listen=["127.0.0.1:14000"],
        listen_wanted=["127.0.0.1:14000"],
        routes=[
            route(
                context="arn:aws:eks:eu-central-1:123456789012:cluster/production",
                namespace="platform-ai-gateway-production",
                target="deployment/litellm-proxy-production-blue-green-canary",
                port="http-metrics",
                pods=[pod("litellm-proxy-production-blue-green-canary-7c9d8f6b54-x2x9k")],
            )
        ],
        streams=12345,
        conditions=[
            condition(
                "unready-pod-used",
                "warning",
                "no pod of deployment/litellm-proxy-production-blue-green-canary is ready, so the "
                "running one litellm-proxy-production-blue-green-canary-7c9d8f6b54-x2x9k is used",
            )
        ],
    ),
    forward("b", "degraded", routes=[url_route("https://gateway.ai.production.example.com/v1")]),
)
REJECTED_CONFIG = status(
    forward(),
    config={
        "path": "/home/ada/.config/llmgw/config.toml",
        "is_present": True,
        "loaded_at": "2026-03-01T08:29:59.000Z",
        "error": '/home/ada/.config/llmgw/config.toml: forward "litellm": port = 70000, '
        "but a port is 1 to 65535; the configuration of before goes on",
    },
)
NONE = status()
