"""The contract of the control socket: routes and names, shared by both sides.

Standard library only, and little of it: `llmgwctl status` imports this on its way to an answer.
v1 only grows: a field or a kind is added, never renamed or removed, and a client ignores those
that it does not know. Times are RFC 3339 in UTC with milliseconds; durations are seconds as
numbers and end in `_s`; sizes are bytes and end in `_bytes`.
"""

from __future__ import annotations

from enum import StrEnum

# Without typing, a slow import; checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmgwctl.payloads import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        """Give a payload's type from `payloads`, imported when the first one is asked for."""
        if name.startswith("_"):
            raise AttributeError(name)
        from llmgwctl import payloads

        return getattr(payloads, name)


API_VERSION = 1


class ApiPath:
    """Routes of the control API. `{name}` is a forward's name."""

    STATUS = "/v1/status"
    VERSION = "/v1/version"
    HEALTH = "/v1/health"
    EVENTS = "/v1/events"
    FORWARD_RESTART = "/v1/forwards/{name}/restart"
    FORWARD_STOP = "/v1/forwards/{name}/stop"
    FORWARD_START = "/v1/forwards/{name}/start"
    RELOAD = "/v1/reload"
    KEY = "/v1/key"
    MODELS = "/v1/models"
    LOGS = "/v1/logs"
    REQUESTS = "/v1/requests"
    SPEND = "/v1/spend"
    DOCTOR = "/v1/doctor"
    METRICS = "/metrics"
    OPENAPI = "/v1/openapi.json"


class State(StrEnum):
    """The state of a forward; `SERVING_STATES` carry requests, `stopped` has no port, the others
    hold requests until a route is up."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    RECONNECTING = "reconnecting"
    BLOCKED = "blocked"
    STOPPED = "stopped"


class Severity(StrEnum):
    """The severity of a condition: an `error` keeps the forward from serving."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class ConditionKind(StrEnum):
    """Kinds of condition, and the codes of the errors that become one."""

    CONFIG_INVALID = "config-invalid"
    PORT_TAKEN = "port-taken"
    PORT_FORBIDDEN = "port-forbidden"
    ADDRESS_MISSING = "address-missing"
    EXPOSED = "exposed"
    CLIENTS_UNCHECKED = "clients-unchecked"
    DESCRIPTORS_EXHAUSTED = "descriptors-exhausted"
    KUBECONFIG_MISSING = "kubeconfig-missing"
    KUBECONFIG_INVALID = "kubeconfig-invalid"
    CONTEXT_MISSING = "context-missing"
    CERTIFICATE_UNREADABLE = "certificate-unreadable"
    LOGIN_EXPIRED = "login-expired"
    LOGIN_PLUGIN_FAILED = "login-plugin-failed"
    API_SERVER_UNREACHABLE = "api-server-unreachable"
    API_SERVER_FAILING = "api-server-failing"
    TLS_UNTRUSTED = "tls-untrusted"
    PERMISSION_DENIED = "permission-denied"
    NAMESPACE_MISSING = "namespace-missing"
    TARGET_MISSING = "target-missing"
    TARGET_HAS_NO_SELECTOR = "target-has-no-selector"
    TARGET_PORT_MISSING = "target-port-missing"
    NO_PODS = "no-pods"
    NO_READY_POD = "no-ready-pod"
    UNREADY_POD_USED = "unready-pod-used"
    NODE_FAILING = "node-failing"
    UPGRADE_REFUSED = "upgrade-refused"
    DIAL_REFUSED = "dial-refused"
    TUNNEL_LOST = "tunnel-lost"
    TUNNEL_SILENT = "tunnel-silent"
    PROTOCOL_ERROR = "protocol-error"
    ON_FALLBACK = "on-fallback"
    URL_UNREACHABLE = "url-unreachable"
    GATEWAY_UNHEALTHY = "gateway-unhealthy"
    GATEWAY_SILENT = "gateway-silent"
    NOT_LITELLM = "not-litellm"
    DATABASE_DOWN = "database-down"
    KEY_MISSING = "key-missing"
    KEY_REJECTED = "key-rejected"
    INTERNAL = "internal"


class EventKind(StrEnum):
    """What an event line reports. A watch starts with a `snapshot`, which carries a `Status`."""

    SNAPSHOT = "snapshot"
    DAEMON_STARTED = "daemon-started"
    DAEMON_STOPPING = "daemon-stopping"
    CONFIG_RELOADED = "config-reloaded"
    CONFIG_REJECTED = "config-rejected"
    STATE_CHANGED = "state-changed"
    CONDITION_RAISED = "condition-raised"
    CONDITION_CLEARED = "condition-cleared"
    ROUTE_UP = "route-up"
    ROUTE_LOST = "route-lost"
    ROUTE_SWITCHED = "route-switched"
    TARGET_CHANGED = "target-changed"
    POD_ADDED = "pod-added"
    POD_LOST = "pod-lost"
    DRAIN_STARTED = "drain-started"
    DRAIN_ENDED = "drain-ended"
    CONNECTION_REDIALED = "connection-redialed"
    CONNECTION_CUT = "connection-cut"
    HOLD_EXPIRED = "hold-expired"
    CLIENTS_REFUSED = "clients-refused"
    WOKE_UP = "woke-up"


class RequestOutcome(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"  # by the gateway, whatever its status
    UNAVAILABLE = "unavailable"  # by llmgwd itself: no route in time, or a faulty request
    CUT = "cut"  # reset in the middle, by llmgwd or by the gateway's side
    CANCELLED = "cancelled"  # the client left


class RouteKind(StrEnum):
    KUBERNETES = "kubernetes"
    URL = "url"


class UpgradeKind(StrEnum):
    """The ways into a pod, in the order they are tried."""

    SPDY = "spdy"
    WEBSOCKET = "websocket"
    CHANNELS = "channels"


class CheckState(StrEnum):
    """The result of one check. `needs-person`: it failed, and only a person can fix it."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAILED = "failed"
    NEEDS_PERSON = "needs-person"
    SKIPPED = "skipped"


class Exit:
    """Exit statuses of llmgwctl."""

    OK = 0
    NOT_SO = 1
    USAGE = 2
    UNREACHABLE = 3
    NEEDS_PERSON = 4
    INTERRUPTED = 130


# A forward in one of these carries requests.
SERVING_STATES = (State.READY, State.DEGRADED)

# The worst first: a daemon's state is the worst of its forwards'.
STATES_WORST_FIRST = (
    State.BLOCKED,
    State.RECONNECTING,
    State.STARTING,
    State.DEGRADED,
    State.READY,
    State.STOPPED,
)
