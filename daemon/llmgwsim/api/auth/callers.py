"""Who asks: the user whom a credential names, or whom that user impersonates; and a record of it.

Headers and their meaning are those of Kubernetes ("User impersonation" in its reference).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from llmgwsim.api import answers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmgwsim.api.auth.access import Access
    from llmgwsim.net.request import Request

_KEPT = 1000
_EXTRA = "impersonate-extra-"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user as the API server knows it; `extras` are sorted by name."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extras: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass
class Callers:
    """Reads who makes a request; keeps the latest in `seen`, those who may do nothing included."""

    access: Access
    seen: deque[Caller] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def of(self, request: Request) -> Caller:
        """Raises Refusal: no credential that is known, or no right to impersonate."""
        caller = self._authenticated(request)
        asked = _impersonated(request.header_lines)
        if asked is not None:
            if not self.access.allows(caller.user, "impersonate", "users", ""):
                raise answers.forbidden(caller.user, "impersonate", "users", "", asked.user)
            caller = asked
        self.seen.append(caller)
        return caller

    def _authenticated(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            user = self.access.user_of(token.strip())
            if user is None:
                raise answers.unauthorized()
            return Caller(user)
        names = _subject(request.connection.transport.get_extra_info("peercert"))
        user = next(iter(names.get("commonName", ())), None)
        if user is None or user in self.access.refused_users:
            raise answers.unauthorized()
        return Caller(user, tuple(names.get("organizationName", ())))


def _impersonated(lines: Sequence[tuple[str, str]]) -> Caller | None:
    user, uid, groups, extras = "", "", [], dict[str, tuple[str, ...]]()
    for name, raw in lines:
        value = raw.encode("latin-1").decode("utf-8", "replace")
        if name == "impersonate-user":
            user = value
        elif name == "impersonate-uid":
            uid = value
        elif name == "impersonate-group":
            groups.append(value)
        elif name.startswith(_EXTRA):
            key = unquote(name.removeprefix(_EXTRA))
            extras[key] = (*extras.get(key, ()), value)
    if not user:
        return None
    return Caller(user, tuple(groups), uid, tuple(sorted(extras.items())))


def _subject(certificate: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """The names of a client certificate's subject, as TLS has verified it."""
    found: dict[str, list[str]] = {}
    for entries in (certificate or {}).get("subject", ()):
        for name, value in entries:
            found.setdefault(name, []).append(str(value))
    return found
