"""What is wrong, by name: a small ordered set, and which fact hides behind which.

Pure. A condition keeps its `since` for as long as it stands, however often it is raised again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from llmgwctl.wire import Condition as Kind
from llmgwctl.wire import Severity

# From cause to consequence: the way of a connection from the kubeconfig to the answer. Behind the
# first of these that stands, the ones after it say nothing new.
CHAIN: Final = (
    Kind.DESCRIPTORS_EXHAUSTED,
    Kind.KUBECONFIG_MISSING,
    Kind.KUBECONFIG_INVALID,
    Kind.CONTEXT_MISSING,
    Kind.CERTIFICATE_UNREADABLE,
    Kind.LOGIN_PLUGIN_FAILED,
    Kind.LOGIN_EXPIRED,
    Kind.TLS_UNTRUSTED,
    Kind.API_SERVER_UNREACHABLE,
    Kind.API_SERVER_FAILING,
    Kind.PERMISSION_DENIED,
    Kind.NAMESPACE_MISSING,
    Kind.TARGET_MISSING,
    Kind.TARGET_HAS_NO_SELECTOR,
    Kind.TARGET_PORT_MISSING,
    Kind.NO_PODS,
    Kind.NO_READY_POD,
    Kind.UPGRADE_REFUSED,
    Kind.PROTOCOL_ERROR,
    Kind.TUNNEL_SILENT,
    Kind.TUNNEL_LOST,
    Kind.DIAL_REFUSED,
    Kind.UNREADY_POD_USED,
    Kind.GATEWAY_SILENT,
    Kind.GATEWAY_UNHEALTHY,
    Kind.NOT_LITELLM,
    Kind.DATABASE_DOWN,
    Kind.KEY_REJECTED,
)

# Facts beside that way, and the causes that they follow from.
_FOLLOWS: Final[Mapping[Kind, tuple[Kind, ...]]] = {
    Kind.ON_FALLBACK: CHAIN[: CHAIN.index(Kind.UNREADY_POD_USED)],
}

# How much each keeps from serving when nothing else serves; the rest are errors.
_SEVERITIES: Final[Mapping[Kind, Severity]] = {
    Kind.CONFIG_INVALID: Severity.WARNING,
    Kind.UNREADY_POD_USED: Severity.WARNING,
    Kind.ON_FALLBACK: Severity.WARNING,
    Kind.GATEWAY_UNHEALTHY: Severity.WARNING,
    Kind.GATEWAY_SILENT: Severity.WARNING,
    Kind.NOT_LITELLM: Severity.WARNING,
    Kind.DATABASE_DOWN: Severity.WARNING,
    Kind.KEY_MISSING: Severity.INFO,
    Kind.KEY_REJECTED: Severity.WARNING,
    Kind.DRAINING: Severity.INFO,
}

_WORST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact that is wrong. `since` is RFC 3339; `remedy` may be empty."""

    kind: Kind
    severity: Severity
    since: str
    summary: str
    remedy: str = ""


def severity_of(kind: Kind, *, is_serving: bool) -> Severity:
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

    def get(self, kind: Kind) -> Condition | None:
        return next((each for each in self.standing if each.kind is kind), None)

    def raising(self, condition: Condition) -> Conditions:
        """Add it, or renew the words of the one that stands."""
        old = self.get(condition.kind)
        if old is None:
            return Conditions((*self.standing, condition))
        renewed = replace(condition, since=old.since)
        return Conditions(tuple(renewed if each is old else each for each in self.standing))

    def clearing(self, kind: Kind) -> Conditions:
        return Conditions(tuple(each for each in self.standing if each.kind is not kind))

    def hidden_by(self, kind: Kind) -> Kind | None:
        """Name the standing cause of which this kind is only a consequence."""
        causes = _FOLLOWS.get(kind) or (CHAIN[: CHAIN.index(kind)] if kind in CHAIN else ())
        return next((cause for cause in causes if self.get(cause) is not None), None)

    def worst(self) -> Condition | None:
        """The one to tell first: the worst that hides behind no other."""
        plain = [each for each in self.standing if self.hidden_by(each.kind) is None]
        return min(plain, key=lambda each: _WORST_FIRST.index(each.severity), default=None)
