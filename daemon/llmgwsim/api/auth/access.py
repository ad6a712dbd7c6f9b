"""Who may do what in the simulated cluster: tokens, certificates, and rules as Roles hold them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from llmgwsim.api.answers import group_of


@dataclass(frozen=True, slots=True)
class Rule:
    """`*` in a set stands for everything; an empty `namespaces` for all of them."""

    verbs: frozenset[str]
    resources: frozenset[str]
    namespaces: frozenset[str] = frozenset()

    def allows(self, verb: str, resource: str, namespace: str) -> bool:
        return (
            ("*" in self.verbs or verb in self.verbs)
            and ("*" in self.resources or resource in self.resources)
            and (not self.namespaces or namespace in self.namespaces)
        )


def rule(verbs: str, resources: str, *namespaces: str) -> Rule:
    """A rule from words separated by commas, e.g. `rule("get,list", "pods,services")`."""
    return Rule(frozenset(verbs.split(",")), frozenset(resources.split(",")), frozenset(namespaces))


ADMIN = (rule("*", "*"),)
_READS = rule("get,list,watch", "pods,services,deployments,statefulsets,pods/log,events,namespaces")
# Roles by name, for a test that needs one quickly. What published roles grant is "create-only".
ROLES: dict[str, tuple[Rule, ...]] = {
    "admin": ADMIN,
    "create-only": (_READS, rule("create", "pods/portforward")),
    "get-only": (_READS, rule("get", "pods/portforward")),
    "get-create": (_READS, rule("get,create", "pods/portforward")),
    "no-watch": (
        rule("get,list", "pods,services,deployments"),
        rule("create", "pods/portforward"),
    ),
    "get-one-pod": (rule("get", "pods"), rule("create", "pods/portforward")),
    "nothing": (),
}


@dataclass(slots=True)
class _Token:
    user: str
    expires_at: float | None = None


@dataclass
class Access:
    """Users, their tokens and rules; `denied` takes a verb from every user on top of that."""

    rules: dict[str, tuple[Rule, ...]] = field(default_factory=lambda: {"demo": ADMIN})
    denied: set[tuple[str, str]] = field(default_factory=set)
    # Revoked users' certificates are refused as well: 401, as an expired one is.
    refused_users: set[str] = field(default_factory=set)
    _tokens: dict[str, _Token] = field(default_factory=dict)

    def issue(self, user: str = "demo", lifetime_s: float | None = None, token: str = "") -> str:
        """Make a token for a user; without a lifetime it lives until it is revoked."""
        text = token or f"demo-{secrets.token_urlsafe(24)}"
        expires_at = None if lifetime_s is None else time.monotonic() + lifetime_s
        self._tokens[text] = _Token(user, expires_at)
        return text

    def revoke(self, token: str | None = None) -> None:
        """Revoke one token, or all of them."""
        if token is None:
            self._tokens.clear()
        else:
            self._tokens.pop(token, None)

    def user_of(self, token: str) -> str | None:
        known = self._tokens.get(token)
        if known is None or known.user in self.refused_users:
            return None
        if known.expires_at is not None and time.monotonic() >= known.expires_at:
            return None
        return known.user

    def allows(self, user: str, verb: str, resource: str, namespace: str) -> bool:
        if (verb, resource) in self.denied:
            return False
        return any(item.allows(verb, resource, namespace) for item in self.rules.get(user, ()))

    def rules_of(self, user: str, namespace: str) -> list[dict[str, list[str]]]:
        """The rules as a SelfSubjectRulesReview lists them."""
        listed: list[dict[str, list[str]]] = []
        for item in self.rules.get(user, ()):
            if item.namespaces and namespace not in item.namespaces:
                continue
            for resource in sorted(item.resources):
                verbs = sorted(v for v in item.verbs if (v, resource) not in self.denied)
                if verbs:
                    group = "*" if resource == "*" else group_of(resource)
                    entry = {"verbs": verbs, "apiGroups": [group], "resources": [resource]}
                    listed.append(entry)
        return listed
