"""The payloads of the contract, as types; import them as `llmgwctl.wire.NAME`.

They are made only when one is asked for: that takes longer than all the rest of `llmgwctl status`,
which reads payloads as plain data.
"""

from __future__ import annotations

from typing import TypedDict


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
    database: (
        str | None
    )  # "connected", "not-connected", or null where the gateway does not report it


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
    """Counts since the daemon started; they only rise."""

    connections: int
    held: int
    hold_expired: int
    redialed: int  # sent again, because provably no pod had received it
    cut: int  # closed, because that could not be proved
    failed: int
    outages: int
    refused: int  # connections and requests of others: other users, other sites' web pages
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
    problem: str  # why it does not serve, or is unhealthy although it does; or empty


class Health(TypedDict):
    """The answer of `/v1/health`: 200 where `healthy`, else 503.

    Healthy: at least one forward serves, and so do all that the user has not stopped, each at all
    its addresses, with a gateway behind it that answers as one that is well.
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
    cause: str  # a code: a `ConditionKind`, or "reload", "restart", "signal"
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

    key: str  # the placeholder where llmgwd puts the key in itself, unless it is asked for
    source: str  # where it came from, in words: "secret litellm-secrets/LITELLM_MASTER_KEY"


class ModelsStatus(TypedDict):
    """The answer of `/v1/models`: what is known right now; the question may have the list renewed.

    `age_s` is null until the gateway has been asked once with success.
    """

    models: list[str]
    age_s: float | None


class LogLine(TypedDict):
    """One line of `/v1/logs`: from a pod, or (with `note`) about one."""

    pod: str
    container: str  # empty where the pod has only one
    time: str
    line: str
    note: str | None  # "joined", "ended", …


class RequestRecord(TypedDict):
    """One line of `/v1/requests`, written when the request has ended.

    The query takes `forward` (else all), `since` (RFC 3339) and `follow`: first what is still
    remembered, in the order of `time`, then, where it follows, what ends from now on.
    """

    seq: int  # rises by one with each request that ends on this forward
    time: str  # when its head had arrived
    forward: str
    method: str
    path: str  # without the query
    status: int | None  # null where no answer was passed on
    outcome: str  # a `RequestOutcome`
    model: str | None  # as the gateway named it
    cost: float | None  # US dollars, as the gateway named them
    first_byte_s: float | None  # from the head's arrival to the answer's first byte
    total_s: float  # from the head's arrival to the end
    sent_bytes: int  # from the client to the gateway
    received_bytes: int
    held_s: float  # how long it waited for a route
    resent: int  # how often it was sent again
    pod: str | None  # on a kubernetes route
    url: str | None  # on a url route
    program: str | None  # the first product of its User-Agent: "claude-cli/2.0"
    kind: str  # "http"; later versions may record other kinds


class DaySpend(TypedDict):
    """What passed through the daemon on one UTC day, for one model on one forward."""

    day: str  # "2026-11-26"
    forward: str
    model: str
    requests: int
    known: int  # how many of them the gateway named a cost for
    cost: float  # the sum of those, in US dollars


class Spend(TypedDict):
    """The answer of `/v1/spend`."""

    days: list[DaySpend]


class CheckStatus(TypedDict):
    """One line of `/v1/doctor`; each check comes after those that it depends on."""

    check: str  # "api-server"
    forward: str | None  # null: of this machine, not of one forward
    state: str  # a `CheckState`
    found: str
    cause: str  # only where it failed
    remedy: str  # may hold several lines: to be pasted as they are
    skipped_by: str | None  # the check whose failure made this one useless
    took_s: float | None


class Runtime(TypedDict):
    """What a program runs on; the answer of `/v1/version` is the daemon's."""

    version: str  # of llmgw
    python: str  # "CPython 3.13.5"
    system: str  # "Linux 6.12.0 x86_64, Debian GNU/Linux 13 (trixie)"
    libraries: dict[str, str]  # of those that llmgw depends on, by their names on PyPI


class ErrorDetail(TypedDict):
    code: str
    message: str
    remedy: str


class ErrorBody(TypedDict):
    error: ErrorDetail
