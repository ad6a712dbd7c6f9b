"""What is wrong, by name: a small ordered set, and which fact hides behind which.

Pure. A condition keeps its `since` for as long as it stands, however often it is raised again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from llmgwctl.wire import ConditionKind, Severity

# From cause to consequence: the way of a connection from the kubeconfig to the answer. Behind the
# first of these that stands, the ones after it say nothing new.
CHAIN: Final = (
    ConditionKind.DESCRIPTORS_EXHAUSTED,
    ConditionKind.KUBECONFIG_MISSING,
    ConditionKind.KUBECONFIG_INVALID,
    ConditionKind.CONTEXT_MISSING,
    ConditionKind.CERTIFICATE_UNREADABLE,
    ConditionKind.LOGIN_PLUGIN_FAILED,
    ConditionKind.LOGIN_EXPIRED,
    ConditionKind.TLS_UNTRUSTED,
    ConditionKind.API_SERVER_UNREACHABLE,
    ConditionKind.API_SERVER_FAILING,
    ConditionKind.PERMISSION_DENIED,
    ConditionKind.NAMESPACE_MISSING,
    ConditionKind.TARGET_MISSING,
    ConditionKind.TARGET_HAS_NO_SELECTOR,
    ConditionKind.TARGET_PORT_MISSING,
    ConditionKind.NO_PODS,
    ConditionKind.NO_READY_POD,
    ConditionKind.UPGRADE_REFUSED,
    ConditionKind.PROTOCOL_ERROR,
    ConditionKind.TUNNEL_SILENT,
    ConditionKind.TUNNEL_LOST,
    ConditionKind.DIAL_REFUSED,
    ConditionKind.UNREADY_POD_USED,
    ConditionKind.GATEWAY_SILENT,
    ConditionKind.GATEWAY_UNHEALTHY,
    ConditionKind.NOT_LITELLM,
    ConditionKind.DATABASE_DOWN,
    ConditionKind.KEY_REJECTED,
)

# Facts beside that way, and the causes that they follow from.
_FOLLOWS: Final[Mapping[ConditionKind, tuple[ConditionKind, ...]]] = {
    ConditionKind.ON_FALLBACK: CHAIN[: CHAIN.index(ConditionKind.UNREADY_POD_USED)],
}

# How much each keeps from serving when nothing else serves; the rest are errors.
_SEVERITIES: Final[Mapping[ConditionKind, Severity]] = {
    ConditionKind.CONFIG_INVALID: Severity.WARNING,
    ConditionKind.UNREADY_POD_USED: Severity.WARNING,
    ConditionKind.ON_FALLBACK: Severity.WARNING,
    ConditionKind.GATEWAY_UNHEALTHY: Severity.WARNING,
    ConditionKind.GATEWAY_SILENT: Severity.WARNING,
    ConditionKind.NOT_LITELLM: Severity.WARNING,
    ConditionKind.DATABASE_DOWN: Severity.WARNING,
    ConditionKind.KEY_MISSING: Severity.INFO,
    ConditionKind.KEY_REJECTED: Severity.WARNING,
    ConditionKind.DRAINING: Severity.INFO,
}

_WORST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact that is wrong. `since` is RFC 3339; `remedy` may be empty."""

    kind: ConditionKind
    severity: Severity
    since: str
    summary: str
    remedy: str = ""


def severity_of(kind: ConditionKind, *, is_serving: bool) -> Severity:
    """Say how bad it is: what would keep from serving is a warning while something serves."""
    severity = _SEVERITIES.get(kind, Severity.ERROR)
    return Severity.WARNING if is_serving and severity is Severity.ERROR else severity


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions that stand, at most one of a kind, the oldest first."""

    standing: tuple[Condition, ...] = ()

    def __iter__(self) -> Iterator[Condition]:
        return iter(self.standing)

    def __len__(self) -> int:
        return len(self.standing)

    def get(self, kind: ConditionKind) -> Condition | None:
        return next((each for each in self.standing if each.kind is kind), None)

    def raising(self, condition: Condition) -> Conditions:
        """Add it, or renew the words of the one that stands."""
        old = self.get(condition.kind)
        if old is None:
            return Conditions((*self.standing, condition))
        renewed = replace(condition, since=old.since)
        return Conditions(tuple(renewed if each is old else each for each in self.standing))

    def clearing(self, kind: ConditionKind) -> Conditions:
        return Conditions(tuple(each for each in self.standing if each.kind is not kind))

    def hidden_by(self, kind: ConditionKind) -> ConditionKind | None:
        """Name the standing cause of which this kind is only a consequence."""
        causes = _FOLLOWS.get(kind) or (CHAIN[: CHAIN.index(kind)] if kind in CHAIN else ())
        return next((cause for cause in causes if self.get(cause) is not None), None)

    def worst(self) -> Condition | None:
        """The one to tell first: the worst that hides behind no other."""
        plain = [each for each in self.standing if self.hidden_by(each.kind) is None]
        return min(plain, key=lambda each: _WORST_FIRST.index(each.severity), default=None)
