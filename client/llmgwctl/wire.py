"""The contract of the control socket: routes, names and payload shapes, shared by both sides.

Standard library only, and little of it: `llmgwctl status` imports this on its way to an answer.
v1 only grows: a field or a kind is added, never renamed or removed, and a client ignores what it
does not know. Times are RFC 3339 in UTC with milliseconds; durations are seconds as numbers and
end in `_s`; sizes are bytes and end in `_bytes`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict

API_VERSION = 1


class Path:
    """Routes of the control API. `{name}` is a forward's name."""

    STATUS = "/v1/status"
    HEALTH = "/v1/health"
    EVENTS = "/v1/events"
    FORWARD_RESTART = "/v1/forwards/{name}/restart"
    FORWARD_STOP = "/v1/forwards/{name}/stop"
    FORWARD_START = "/v1/forwards/{name}/start"
    RELOAD = "/v1/reload"
    KEY = "/v1/key"
    LOGS = "/v1/logs"
    DOCTOR = "/v1/doctor"
    METRICS = "/metrics"
    OPENAPI = "/v1/openapi.json"


class State(StrEnum):
    """Of a forward. `ready` and `degraded` serve; the others hold what comes."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    RECONNECTING = "reconnecting"
    BLOCKED = "blocked"
    STOPPED = "stopped"


class Severity(StrEnum):
    """Of a condition: `error` keeps the forward from serving, `warning` does not, `info` tells."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Condition(StrEnum):
    """Kinds of condition, and the codes of the errors that become one."""

    CONFIG_INVALID = "config-invalid"
    PORT_TAKEN = "port-taken"
    PORT_FORBIDDEN = "port-forbidden"
    ADDRESS_MISSING = "address-missing"
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
    DRAINING = "draining"
    INTERNAL = "internal"


class EventKind(StrEnum):
    """What an event line tells. `snapshot` comes first on every watch and carries a `Status`."""

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
    HEALTH_CHANGED = "health-changed"
    LOGIN_RENEWED = "login-renewed"
    WOKE_UP = "woke-up"


class RouteKind(StrEnum):
    KUBERNETES = "kubernetes"
    URL = "url"


class Way(StrEnum):
    """The ways into a pod, in the order they are tried."""

    SPDY = "spdy"
    WEBSOCKET = "websocket"
    CHANNELS = "channels"


class CheckState(StrEnum):
    """Of a line of the doctor. `needs-person`: failed, and no program can cure it."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAILED = "failed"
    NEEDS_PERSON = "needs-person"
    SKIPPED = "skipped"


class ConditionStatus(TypedDict):
    kind: str
    severity: str
    since: str
    summary: str  # one sentence: what is wrong
    remedy: str  # what a person can do, a command where there is one; may be empty
    hidden_by: str | None  # the kind of the condition this one follows from


class PodStatus(TypedDict):
    name: str
    ready: bool
    terminating: bool
    tunnels: int
    streams: int


class TunnelCounts(TypedDict):
    idle: int
    busy: int
    draining: int
    dialing: int


class GatewayStatus(TypedDict):
    """What the last probe through the route found; `healthy` is null until one has ended."""

    probe: str  # "litellm", "tcp", "http", "off"
    healthy: bool | None
    latency_s: float | None
    checked_at: str | None
    version: str | None
    database: str | None  # "connected", "not-connected", or null where it is not told


class RouteStatus(TypedDict):
    kind: str
    name: str  # "kubernetes" or the URL
    is_up: bool
    is_active: bool
    context: str | None
    cluster: str | None
    namespace: str | None
    target: str | None  # "service/litellm"
    port: str | None  # as configured
    way: str | None
    pods: list[PodStatus]
    tunnels: TunnelCounts | None
    since: str
    attempts: int  # failed ones in a row
    retry_at: str | None
    round_trip_s: float | None  # of the last ping, API server and back


class Counters(TypedDict):
    """Since the daemon started; they only rise."""

    connections: int
    held: int
    hold_expired: int
    redialed: int  # sent again, because provably nobody had received it
    cut: int  # closed, because that could not be proved
    failed: int
    outages: int
    sent_bytes: int  # from local clients to the gateway
    received_bytes: int


class ForwardStatus(TypedDict):
    name: str
    state: str
    since: str
    listen: list[str]  # addresses bound right now: "127.0.0.1:4000", "[::1]:4000"
    listen_wanted: list[str]
    routes: list[RouteStatus]
    streams: int
    held: int
    gateway: GatewayStatus
    counters: Counters
    conditions: list[ConditionStatus]


class ConfigStatus(TypedDict):
    path: str
    is_present: bool
    loaded_at: str
    error: str | None  # why the last reload changed nothing


class Status(TypedDict):
    api: int
    version: str
    pid: int
    started_at: str
    state: str  # the worst of the forwards'
    config: ConfigStatus
    conditions: list[ConditionStatus]  # the daemon's own
    forwards: list[ForwardStatus]


class ForwardHealth(TypedDict):
    name: str
    state: str
    serves: bool


class Health(TypedDict):
    """The answer of `/v1/health`: 200 where `healthy`, else 503.

    Healthy is when something serves and nothing fails to that was not stopped by the user.
    """

    healthy: bool
    state: str
    forwards: list[ForwardHealth]


class Event(TypedDict, total=False):
    """One line of `/v1/events`; seq, time and kind are always there, seq rises by one."""

    seq: int
    time: str
    kind: str
    forward: str
    message: str  # one sentence for people
    cause: str  # a code: a `Condition`, or "reload", "restart", "signal"
    state: str  # state-changed: the new one
    previous: str
    outage_s: float
    attempts: int
    streams: int  # how many it touched
    held: int
    pod: str
    route: str
    remedy: str
    status: Status  # snapshot only


class KeyStatus(TypedDict):
    """The answer of `/v1/key`. The one payload that holds a secret: never logged."""

    key: str
    source: str  # where it came from, in words: "secret litellm-secrets/LITELLM_MASTER_KEY"


class LogLine(TypedDict):
    """One line of `/v1/logs`: from a pod, or (with `note`) about one."""

    pod: str
    container: str  # empty where the pod has only one
    time: str
    line: str
    note: str | None  # "joined", "ended", …


class CheckStatus(TypedDict):
    """One line of `/v1/doctor`, in the order in which one thing rests on another."""

    check: str  # "api-server"
    forward: str | None  # null: of this machine, not of one forward
    state: str  # a `CheckState`
    found: str
    cause: str  # only where it failed
    remedy: str  # may hold several lines: to be pasted as they are
    skipped_by: str | None  # the check whose failure made this one pointless
    took_s: float | None


class ErrorDetail(TypedDict):
    code: str
    message: str
    remedy: str


class ErrorBody(TypedDict):
    error: ErrorDetail


class Exit:
    """Exit statuses of llmgwctl."""

    OK = 0
    NOT_SO = 1
    USAGE = 2
    UNREACHABLE = 3
    NEEDS_PERSON = 4
    INTERRUPTED = 130


# A forward in one of these carries what comes.
SERVING_STATES = (State.READY, State.DEGRADED)

# The worst first: a daemon's state is the first of these that one of its forwards is in.
STATES_WORST_FIRST = (
    State.BLOCKED,
    State.RECONNECTING,
    State.STARTING,
    State.DEGRADED,
    State.READY,
    State.STOPPED,
)
