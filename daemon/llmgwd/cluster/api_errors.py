"""What the API server's refusals mean: a request and a status in, one of our errors out. Pure.

An answer is judged by who gave it, and only then by its number. The API server writes a Status;
what a kubelet or an authenticating proxy answers is plain text or JSON of its own; a page of HTML
comes from something in between (a captive portal, a proxy's login), which knows nothing of logins
and roles of the cluster: its 401 and 403 must not send a person to either.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.system import foreign

if TYPE_CHECKING:
    from llmgwd.cluster.auth.credentials import Credential, Login

CLUSTER_REMEDY = "It is tried again by itself. If it lasts, ask the cluster's administrator."
PROXY_REMEDY = (
    "Check the network (is there a login page?), the proxy, and the server's address in the"
    " kubeconfig."
)
_NAMESPACED = re.compile(
    r"^/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?$"
)
_USER = re.compile(r'User "([^"]+)"')
# A denial by admission, whose status is its own choice (400, 403, 422): a webhook's or a policy's,
# or one of a plugin of the API server, worded as an authorizer's without its `User "…" cannot`.
_DENIED = re.compile(r"""denied (?:the )?request|is forbidden: (?!User "[^"]*" cannot )""")
# What RBAC adds for a role that a binding names and that it does not know.
_UNKNOWN_ROLE = re.compile(r'RBAC: .*?((?:cluster)?role)[^ ]* "([^"]+)" not found')
# A sentence of a proxy's error page is enough; the page is not.
_EXCERPT_CHARACTERS = 160
_SENTENCE_CHARACTERS = 600
# A Status is a sentence; a watch's ERROR holds one.
_MAX_STATUS_BYTES = 64 * 1024
# API servers say 1 s to some 60 s. A peer must not put us to sleep for a year.
MAX_RETRY_AFTER_S = 300.0


class NotFound(Blocked):
    """404: the object, or the namespace around it, does not exist."""


class Forbidden(Blocked):
    """403 by the API server's own authorization; the remedy is the rule that is missing."""


class Denied(Forbidden):
    """By a policy of the cluster, whatever the roles allow; no rule is missing."""


class Unauthorized(Blocked):
    """401: the API server does not know these credentials (any more)."""


class Gone(Transient):
    """410: that resourceVersion is too old; list again."""


@dataclass(frozen=True, slots=True)
class Action:
    """A request in the words of RBAC. `resource` holds the subresource: "pods/portforward"."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{where}"

    @property
    def rule(self) -> str:
        """The rule that grants it, as one line of YAML."""
        return (
            f"- {{apiGroups: [{json.dumps(self.group)}], "
            f"resources: [{json.dumps(self.resource)}], verbs: [{json.dumps(self.verb)}]}}"
        )


def parse_action(method: str, path: str, query: Mapping[str, str]) -> Action:
    """Name what a request asks for; a path that is no resource's is its own resource."""
    match = _NAMESPACED.match(path)
    if match is None:
        return Action(method.lower(), path)
    name = match["name"] or ""
    resource = match["resource"] + (f"/{match['sub']}" if match["sub"] else "")
    if method == "POST":
        verb = "create"
    elif name:
        verb = "get"
    else:
        verb = "watch" if query.get("watch") else "list"
    return Action(verb, resource, match["group"] or "", match["namespace"] or "", name)


def read_status(body: bytes) -> Mapping[str, Any] | None:
    """The Status object in a body, or None: it was not written by an API server."""
    try:
        status = foreign.json(body, _MAX_STATUS_BYTES)
    except foreign.Malformed:
        return None
    is_status = isinstance(status, dict) and status.get("kind") == "Status"
    return status if is_status else None


def is_page(body: bytes) -> bool:
    """Is it HTML? No API server and no kubelet answers so."""
    return body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<"


def note_refusal(login: Login, sent: Credential, status: int, body: bytes) -> bool:
    """Have a login take note of an answer that is no success; return whether another credential
    may help.

    A page proves nothing about a login. But some proxies refuse an expired one by a page, so its
    401 renews once what had been good, as in client-go.
    """
    if is_page(body):
        return status == 401 and login.doubt(sent)
    if status == 401:
        return login.reject(sent)
    login.accept(sent)
    return False


def excerpt(body: bytes) -> str:
    """The first words of a body of any kind, fit for a sentence on one line."""
    text = re.sub(r"<[^>]*>", " ", body[:4096].decode("utf-8", "replace"))
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    words = " ".join(text.split())
    return words[:_EXCERPT_CHARACTERS]


def sentence_of(status: Mapping[str, Any]) -> str:
    """The sentence of a Status, bounded; an API server's own are some hundred characters."""
    return str(status.get("message", ""))[:_SENTENCE_CHARACTERS]


def refusal(
    action: Action, status: int, body: bytes, headers: Mapping[str, str], login_remedy: str
) -> LlmgwError:
    """Translate an answer that is not a success."""
    said = read_status(body)
    words = sentence_of(said) if said else excerpt(body)
    if is_page(body) or 300 <= status < 400 or (said is None and status in (403, 404)):
        return in_between(status, words)
    if status == 401:
        return unauthorized(login_remedy)
    if status == 403:
        return forbidden(action, words)
    if status == 404:
        return _not_found(action, words)
    if status == 410:
        return Gone(ConditionKind.API_SERVER_FAILING, "the watch is too old to go on")
    return failing(status, words, _retry_after_s(headers))


def failing(status: int, words: str, retry_after_s: float | None = None) -> Transient:
    """The API server itself cannot answer, whatever it was asked: one fault has one sentence."""
    ours = f"the API server answered {status}"
    return Transient(
        ConditionKind.API_SERVER_FAILING,
        f"{ours}: {words}" if words else ours,
        CLUSTER_REMEDY,
        public=ours,
        retry_after_s=retry_after_s,
    )


def unauthorized(login_remedy: str) -> Unauthorized:
    return Unauthorized(
        ConditionKind.LOGIN_EXPIRED, "the cluster does not accept the login (401)", login_remedy
    )


def in_between(status: int, words: str) -> Transient:
    """Say that the answer is of something before the API server."""
    ours = f"something that is no API server answered {status}"
    return Transient(
        ConditionKind.API_SERVER_FAILING,
        f"{ours}: {words}" if words else ours,
        PROXY_REMEDY,
        public=ours,
    )


def forbidden(action: Action, words: str = "") -> LlmgwError:
    """403, with the rule to add. `words` may name the user whom RBAC refused.

    A role that is not known is no missing rule: in the first second after its start the API
    server knows the bindings and not yet their roles. So it is tried again soon; where the role
    was deleted and its binding stayed, the sentence is true as well.
    """
    unknown = _UNKNOWN_ROLE.search(words)
    if unknown:
        return Transient(
            ConditionKind.API_SERVER_FAILING,
            f"the API server does not know the {unknown[1]} {unknown[2]}, which allows to"
            f" {action}: it has just started, or the {unknown[1]} was deleted",
            public=f"the API server does not know a role, which allows to {action}",
        )
    if is_denial(words):
        return denied(action, words)
    user = _USER.search(words)
    who = f'"{user[1]}"' if user else "this login"
    kind = "Role" if action.namespace else "ClusterRole"
    return Forbidden(
        ConditionKind.PERMISSION_DENIED,
        f"{who} may not {action}",
        public=f"this login may not {action}",
        remedy=f"Have this rule added to a {kind} bound to it: {action.rule}",
    )


def is_denial(words: str) -> bool:
    """Are these the words of admission, which comes after the roles have allowed a request?"""
    return _DENIED.search(words) is not None


def denied(action: Action, words: str) -> Denied:
    """The API server, or what stands for it, refuses what the roles may well allow."""
    where = f" in namespace {action.namespace}" if action.namespace else ""
    ours = f"a policy of the cluster denies {action.resource}{where}"
    return Denied(
        ConditionKind.PERMISSION_DENIED,
        f"{ours}: {words}",
        "Ask the cluster's administrator for an exception: no rule of a Role is missing.",
        public=ours,
    )


def _not_found(action: Action, words: str) -> LlmgwError:
    kind = ConditionKind.NAMESPACE_MISSING if action.resource == "namespaces" else None
    ours = f"{action}: not found"
    return NotFound(kind or ConditionKind.TARGET_MISSING, words or ours, public=ours)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    return foreign.seconds(value, MAX_RETRY_AFTER_S)
