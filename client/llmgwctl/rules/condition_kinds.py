"""All that is known of each kind of condition: one literal a kind, read by daemon and client.

Whether a person must act is not known of a kind but of an error (`Blocked` or `Transient`): a
login program fails by itself while the network is away, and for good when its session ended.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from llmgwctl.wire import ConditionKind, Severity


class Layer(StrEnum):
    """The part of a connection's way that a condition is about, and where it is shown."""

    DAEMON = "daemon"
    PORT = "port"
    LOGIN = "login"
    API_SERVER = "API server"
    POD = "pod"
    TUNNEL = "tunnel"
    URL = "URL"
    GATEWAY = "gateway"


class Rule(NamedTuple):
    """Of one kind of condition.

    `title` names it in a few words, without a full stop. `severity` is what it has while nothing
    serves. `follows` is the step right before it on the way from the kubeconfig to the answer:
    while that one stands, or one that it follows in turn, this one says nothing new and is hidden
    behind it.
    """

    title: str
    layer: Layer
    severity: Severity = Severity.ERROR
    follows: ConditionKind | None = None


RULES = {
    ConditionKind.CONFIG_INVALID: Rule(
        "mistake in the configuration", Layer.DAEMON, Severity.WARNING
    ),
    ConditionKind.INTERNAL: Rule("mistake in llmgwd itself", Layer.DAEMON),
    ConditionKind.PORT_TAKEN: Rule("port taken by another program", Layer.PORT),
    ConditionKind.PORT_FORBIDDEN: Rule("port not allowed for this user", Layer.PORT),
    ConditionKind.ADDRESS_MISSING: Rule("local address missing", Layer.PORT),
    ConditionKind.EXPOSED: Rule("exposed to the network", Layer.PORT, Severity.WARNING),
    ConditionKind.CLIENTS_UNCHECKED: Rule("clients not checked", Layer.PORT, Severity.INFO),
    ConditionKind.DESCRIPTORS_EXHAUSTED: Rule("file descriptors exhausted", Layer.PORT),
    ConditionKind.KUBECONFIG_MISSING: Rule(
        "kubeconfig missing", Layer.LOGIN, follows=ConditionKind.DESCRIPTORS_EXHAUSTED
    ),
    ConditionKind.KUBECONFIG_INVALID: Rule(
        "kubeconfig invalid", Layer.LOGIN, follows=ConditionKind.KUBECONFIG_MISSING
    ),
    ConditionKind.CONTEXT_MISSING: Rule(
        "context missing",
        Layer.LOGIN,
        follows=ConditionKind.KUBECONFIG_INVALID,
    ),
    ConditionKind.CERTIFICATE_UNREADABLE: Rule(
        "certificate unreadable", Layer.LOGIN, follows=ConditionKind.CONTEXT_MISSING
    ),
    ConditionKind.LOGIN_PLUGIN_FAILED: Rule(
        "login program failed", Layer.LOGIN, follows=ConditionKind.CERTIFICATE_UNREADABLE
    ),
    ConditionKind.LOGIN_EXPIRED: Rule(
        "login expired", Layer.LOGIN, follows=ConditionKind.LOGIN_PLUGIN_FAILED
    ),
    ConditionKind.TLS_UNTRUSTED: Rule(
        "certificate not trusted", Layer.API_SERVER, follows=ConditionKind.LOGIN_EXPIRED
    ),
    ConditionKind.API_SERVER_UNREACHABLE: Rule(
        "API server unreachable", Layer.API_SERVER, follows=ConditionKind.TLS_UNTRUSTED
    ),
    ConditionKind.API_SERVER_FAILING: Rule(
        "API server failing", Layer.API_SERVER, follows=ConditionKind.API_SERVER_UNREACHABLE
    ),
    ConditionKind.PERMISSION_DENIED: Rule(
        "permission denied", Layer.API_SERVER, follows=ConditionKind.API_SERVER_FAILING
    ),
    ConditionKind.NAMESPACE_MISSING: Rule(
        "namespace missing", Layer.POD, follows=ConditionKind.PERMISSION_DENIED
    ),
    ConditionKind.TARGET_MISSING: Rule(
        "target missing", Layer.POD, follows=ConditionKind.NAMESPACE_MISSING
    ),
    ConditionKind.TARGET_HAS_NO_SELECTOR: Rule(
        "target without a selector", Layer.POD, follows=ConditionKind.TARGET_MISSING
    ),
    ConditionKind.TARGET_PORT_MISSING: Rule(
        "port of the target missing", Layer.POD, follows=ConditionKind.TARGET_HAS_NO_SELECTOR
    ),
    ConditionKind.NO_PODS: Rule("no pods", Layer.POD, follows=ConditionKind.TARGET_PORT_MISSING),
    ConditionKind.NO_READY_POD: Rule("no ready pod", Layer.POD, follows=ConditionKind.NO_PODS),
    ConditionKind.NODE_FAILING: Rule("node failing", Layer.POD, follows=ConditionKind.NO_READY_POD),
    ConditionKind.UPGRADE_REFUSED: Rule(
        "tunnel refused", Layer.TUNNEL, follows=ConditionKind.NODE_FAILING
    ),
    ConditionKind.PROTOCOL_ERROR: Rule(
        "protocol error", Layer.TUNNEL, follows=ConditionKind.UPGRADE_REFUSED
    ),
    ConditionKind.TUNNEL_SILENT: Rule(
        "tunnel silent", Layer.TUNNEL, follows=ConditionKind.PROTOCOL_ERROR
    ),
    ConditionKind.TUNNEL_LOST: Rule(
        "tunnel lost", Layer.TUNNEL, follows=ConditionKind.TUNNEL_SILENT
    ),
    ConditionKind.DIAL_REFUSED: Rule(
        "connections refused by the pod", Layer.TUNNEL, follows=ConditionKind.TUNNEL_LOST
    ),
    ConditionKind.ON_FALLBACK: Rule(
        "fallback in use",
        Layer.DAEMON,
        Severity.WARNING,
        follows=ConditionKind.DIAL_REFUSED,
    ),
    ConditionKind.UNREADY_POD_USED: Rule(
        "unready pod used",
        Layer.POD,
        Severity.WARNING,
        follows=ConditionKind.DIAL_REFUSED,
    ),
    ConditionKind.URL_UNREACHABLE: Rule("URL unreachable", Layer.URL),
    ConditionKind.GATEWAY_SILENT: Rule(
        "gateway silent",
        Layer.GATEWAY,
        Severity.WARNING,
        follows=ConditionKind.UNREADY_POD_USED,
    ),
    ConditionKind.GATEWAY_UNHEALTHY: Rule(
        "gateway unhealthy",
        Layer.GATEWAY,
        Severity.WARNING,
        follows=ConditionKind.GATEWAY_SILENT,
    ),
    ConditionKind.NOT_LITELLM: Rule(
        "answers not from LiteLLM",
        Layer.GATEWAY,
        Severity.WARNING,
        follows=ConditionKind.GATEWAY_UNHEALTHY,
    ),
    ConditionKind.DATABASE_DOWN: Rule(
        "database down",
        Layer.GATEWAY,
        Severity.WARNING,
        follows=ConditionKind.NOT_LITELLM,
    ),
    ConditionKind.KEY_MISSING: Rule("key missing", Layer.GATEWAY, Severity.WARNING),
    ConditionKind.KEY_REJECTED: Rule("key rejected", Layer.GATEWAY, Severity.INFO),
}


def causes(kind: ConditionKind) -> list[ConditionKind]:
    """Give the kinds that this one hides behind, the first on the way first."""
    found: list[ConditionKind] = []
    cause = RULES[kind].follows
    while cause is not None:
        found.insert(0, cause)
        cause = RULES[cause].follows
    return found
