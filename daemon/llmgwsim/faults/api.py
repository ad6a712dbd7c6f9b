"""Faults of the API: logins, permissions, slow and wrong answers, watches."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from llmgwsim.api.auth.access import ROLES, rule
from llmgwsim.faults.base import FaultCalls


class ApiFaults(FaultCalls):
    def issue_token(self, user: str = "demo", lifetime_s: float | None = None) -> str:
        """Make a token; with a lifetime it expires, and is answered 401 from then on."""
        return self._cluster.access.issue(user, lifetime_s)

    def revoke_token(self, token: str | None = None) -> None:
        """Revoke a token, or all of them: 401."""
        self._cluster.access.revoke(token)

    def restore_token(self) -> str:
        """Let the cluster's first token be accepted again; returns it."""
        return self._cluster.access.issue(token=self._cluster.token)

    def callers(self) -> list[dict[str, Any]]:
        """Who asked, with which groups, uid and extras; the latest last."""
        return [asdict(caller) for caller in self._cluster.api.callers.seen]

    def refuse_user(self, user: str = "demo", refuse: bool = True) -> None:
        """Answer 401 to all of a user's credentials, certificates too."""
        refused = self._cluster.access.refused_users
        refused.add(user) if refuse else refused.discard(user)

    def deny(self, verb: str, resource: str) -> None:
        """Take a verb on a resource from every user: 403."""
        self._cluster.access.denied.add((verb, resource))

    def allow(self, verb: str | None = None, resource: str | None = None) -> None:
        """Give a denied verb back; without arguments all of them."""
        denied = self._cluster.access.denied
        if verb is None or resource is None:
            denied.clear()
        else:
            denied.discard((verb, resource))

    def deny_by_policy(self, words: str | None, status: int = 403) -> None:
        """Have an admission webhook deny every port-forward, with a status of its choice; null ends
        it. What the roles allow is not asked of it.
        """
        self._behaviour.denial = None if words is None else (status, words)

    def set_role(self, role: str, user: str = "demo") -> None:
        """Give a user one of the named roles, see `access.ROLES`."""
        if role not in ROLES:
            raise ValueError(f"role {role} is none of {', '.join(ROLES)}")
        self._cluster.access.rules[user] = ROLES[role]

    def set_rules(self, rules: list[list[str]], user: str = "demo") -> None:
        """Give a user rules: each is [verbs, resources, namespace…], e.g. ["get,list", "pods"]."""
        self._cluster.access.rules[user] = tuple(rule(*item) for item in rules)

    def websocket_verbs(self, verbs: str) -> None:
        """`get` for a server before 1.35, `get,create` since."""
        if verbs not in ("get", "get,create"):
            raise ValueError("verbs is one of get | get,create")
        self._behaviour.websocket_verbs = verbs  # type: ignore[assignment]

    def fail_requests(self, status: int, count: int = -1, retry_after_s: int | None = None) -> None:
        """Answer the next `count` REST requests with a status (-1: all); 0 ends it."""
        self._behaviour.fail_status, self._behaviour.fail_count = status, count
        self._behaviour.retry_after_s = retry_after_s

    def captive_portal(self, status: int | None = 403) -> None:
        """Answer everything with a page of HTML and this status (401, 403, 302); null ends it."""
        self._behaviour.portal_status = status

    def slow(self, delay_s: float) -> None:
        """Every request waits this long before it is looked at."""
        self._behaviour.delay_s = delay_s

    def hang(self, hangs: bool = True, upgrades: bool = True) -> None:
        """Requests are taken and never answered; those that hang go on when it ends."""
        self._behaviour.hangs, self._behaviour.hangs_upgrades = hangs, hangs and upgrades
        self._behaviour.wake()

    def close_watches(self) -> None:
        """End every open watch, as the server does after its time-out."""
        self._behaviour.watch_epoch += 1
        self._world.store.wake()

    def hang_watches(self, hangs: bool = True) -> None:
        """Open watches stay open and say nothing; new ones too."""
        self._behaviour.hangs_watches = hangs
        self._world.store.wake()

    def compact(self, gone_as: str = "event") -> None:
        """Forget the change log: watches from older versions get 410, as an event or by HTTP."""
        if gone_as not in ("event", "http"):
            raise ValueError("gone_as is one of event, http")
        self._behaviour.gone_as = gone_as  # type: ignore[assignment]
        self._world.store.compact()

    def set_bookmarks(self, every_s: float) -> None:
        self._behaviour.bookmark_s = every_s

    def set_pair_timeout(self, timeout_s: float) -> None:
        """How long the server waits for the second stream of a pair."""
        self._behaviour.pair_timeout_s = timeout_s
