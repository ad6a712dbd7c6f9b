"""What a forward must be allowed to do in its cluster, and the Role that allows it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmgwd.cluster.api_errors import Action
from llmgwd.cluster.kubectl import Kubectl
from llmgwd.config.target import TargetKind

if TYPE_CHECKING:
    from llmgwd.config.model import ClusterRoute

ROLE_NAME = "llmgw"
# What is granted for one object alone.
_NAMED = frozenset({"secrets", "services"})
_KEY_UNSEEN = "a new key is read when the gateway first rejects the old one"
_UNSEEN = "an edit of the service is seen after up to 15 s"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing to be allowed; `loss` is what goes without it, empty when nothing does."""

    action: Action
    loss: str = ""

    @property
    def is_vital(self) -> bool:
        return not self.loss


def needs(route: ClusterRoute, secret: str | None) -> list[Need]:
    """List what `route` rests on; `secret` is the name of the Secret the key comes from."""
    namespace = route.namespace
    target = route.target
    found: list[Need] = []
    if target.kind is TargetKind.SERVICE:
        found += [
            Need(Action("get", "services", "", namespace, target.name)),
            Need(Action("list", "services", "", namespace, target.name), _UNSEEN),
            Need(Action("watch", "services", "", namespace, target.name), _UNSEEN),
        ]
    elif target.kind not in (TargetKind.POD, TargetKind.SELECTOR):
        found.append(Need(Action("get", target.kind.plural, "apps", namespace, target.name)))
    if target.kind is TargetKind.POD:
        found.append(Need(Action("get", "pods", "", namespace, target.name)))
        polled = "the pod is asked for again and again"
    else:
        found.append(Need(Action("list", "pods", "", namespace)))
        polled = "the pods are listed again and again"
    found += [
        Need(Action("watch", "pods", "", namespace), f"{polled}, changes are seen later"),
        Need(Action("create", "pods/portforward", "", namespace)),
        Need(Action("get", "pods/portforward", "", namespace), "only raw SPDY is left as a way in"),
        Need(Action("get", "pods/log", "", namespace), "no llmgwctl logs"),
    ]
    if secret is not None:
        found += [
            Need(Action("get", "secrets", "", namespace, secret), "no key from it"),
            Need(Action("watch", "secrets", "", namespace, secret), _KEY_UNSEEN),
        ]
    return found


# A name with a hyphen or of six letters is text to every reader of YAML.
_PLAIN_NAME = re.compile(r"[a-z](?=[a-z0-9-]{5})[a-z0-9-]{0,62}")


def role(
    granted: Iterable[Need],
    namespace: str,
    user: str | None,
    kubectl: Kubectl = Kubectl(),  # noqa: B008 - frozen
) -> str:
    """Write a Role with these needs and its binding, as a command that can be pasted.

    `user` is what the cluster calls the login; None leaves a name to fill in.
    """
    where = _yaml(namespace)
    rules = "\n".join(_rules([need.action for need in granted]))
    return f"""{kubectl.command("apply", "-f", "-")} <<'EOF'
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {ROLE_NAME}, namespace: {where}}}
rules:
{rules}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {ROLE_NAME}, namespace: {where}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {ROLE_NAME}}}
subjects:
- {_subject(user)}
EOF"""


def _rules(actions: Sequence[Action]) -> Iterable[str]:
    """Write one rule for each resource, with all its verbs; Secrets and services are named."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for action in actions:
        name = action.name if action.resource in _NAMED else ""
        verbs.setdefault((action.group, action.resource, name), []).append(action.verb)
    for (group, resource, name), allowed in verbs.items():
        only = f", resourceNames: [{json.dumps(name)}]" if name else ""
        listed = ", ".join(allowed)
        what = f"apiGroups: [{json.dumps(group)}], resources: [{json.dumps(resource)}]"
        yield f"- {{{what}{only}, verbs: [{listed}]}}"


def _subject(user: str | None) -> str:
    parts = (user or "").split(":", 3)
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        namespace, name = map(_yaml, parts[2:])
        return f"{{kind: ServiceAccount, namespace: {namespace}, name: {name}}}"
    quoted = json.dumps(user or "YOUR-LOGIN")
    return f"{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {quoted}}}"


def _yaml(name: str) -> str:
    """Write a name as YAML: in quotes, and on one line, so that no name can end the document."""
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name)


def shown(needs_: Sequence[Need]) -> str:
    """Name needs briefly, verbs of one resource together: "list/watch pods, get services"."""
    verbs: dict[str, list[str]] = {}
    for need in needs_:
        verbs.setdefault(need.action.resource, []).append(need.action.verb)
    return ", ".join(f"{'/'.join(allowed)} {resource}" for resource, allowed in verbs.items())
