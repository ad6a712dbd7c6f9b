"""The grammar of a target: which Kubernetes object, or which pods, a forward leads to.

The one reading of it. `config check` and the resolution at run time use the same parser, so that
what the one accepts the other understands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# A DNS subdomain (RFC 1123), as Kubernetes has the names of these kinds of object.
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_MAX_NAME_CHARACTERS: Final = 253

# One requirement of a label selector, in the forms that the API's labelSelector parameter takes.
_KEY: Final = r"([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_VALUE: Final = r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_REQUIREMENT: Final = re.compile(
    rf"{_KEY}\s*(==?|!=)\s*{_VALUE}"
    rf"|{_KEY}\s+(in|notin)\s*\(\s*{_VALUE}(\s*,\s*{_VALUE})*\s*\)"
    rf"|!?\s*{_KEY}"
)
# Commas between requirements, not those between the values in parentheses.
_COMMA: Final = re.compile(r",(?![^()]*\))")


class TargetKind(StrEnum):
    SERVICE = "service"
    DEPLOYMENT = "deployment"
    STATEFUL_SET = "statefulset"
    REPLICA_SET = "replicaset"
    DAEMON_SET = "daemonset"
    POD = "pod"
    SELECTOR = "selector"

    @property
    def plural(self) -> str:
        """The resource's name in the API and in RBAC rules."""
        return f"{self.value}s"


_SHORT: Final[Mapping[str, TargetKind]] = {
    "svc": TargetKind.SERVICE,
    "deploy": TargetKind.DEPLOYMENT,
    "sts": TargetKind.STATEFUL_SET,
    "rs": TargetKind.REPLICA_SET,
    "ds": TargetKind.DAEMON_SET,
    "po": TargetKind.POD,
}
# Singular, plural and short, as kubectl takes them.
_KINDS: Final[Mapping[str, TargetKind]] = {
    **{kind.value: kind for kind in TargetKind if kind is not TargetKind.SELECTOR},
    **{kind.plural: kind for kind in TargetKind if kind is not TargetKind.SELECTOR},
    **_SHORT,
}


@dataclass(frozen=True, slots=True)
class Target:
    """What to forward to: the object of this kind and name, or the pods that a selector names."""

    kind: TargetKind
    name: str

    @staticmethod
    def parse(text: str) -> Target:
        """Read "service/litellm", "pod/NAME", "app=litellm" and their like.

        Raises:
            ValueError: neither a known kind and a name, nor a label selector.
        """
        word, slash, name = text.partition("/")
        kind = _KINDS.get(word.lower()) if slash else None
        if kind is not None and _is_name(name):
            return Target(kind, name)
        # A bare word is more likely a forgotten kind than a label that must exist.
        is_selector = any(mark in text for mark in "=!(,") and all(
            _REQUIREMENT.fullmatch(part.strip()) for part in _COMMA.split(text)
        )
        if kind is None and is_selector:
            return Target(TargetKind.SELECTOR, text.strip())
        raise ValueError(f"not a target: {text}")

    @property
    def release(self) -> str:
        """The name that a chart's objects begin with, or "" where a selector does not say."""
        return "" if self.kind is TargetKind.SELECTOR else self.name

    def __str__(self) -> str:
        return self.name if self.kind is TargetKind.SELECTOR else f"{self.kind}/{self.name}"


DEFAULT_TARGET: Final = Target(TargetKind.SERVICE, "litellm")


def _is_name(text: str) -> bool:
    return len(text) <= _MAX_NAME_CHARACTERS and bool(_NAME.fullmatch(text))
