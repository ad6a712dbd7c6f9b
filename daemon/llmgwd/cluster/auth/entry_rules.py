"""What a kubeconfig's user and cluster may not say together: client-go refuses it, so no one knows
which of both is meant. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmgwd.cluster.kubeconfig.kubeconfig import Entry

_ONE_OF_BOTH: Final = "Leave one of both out."
# All keys of client-go's AuthInfo and Cluster (clientcmd/api/v1, 1.37).
_KINDS: Final[Mapping[str, type]] = {
    **dict.fromkeys(
        (
            *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
            *("token", "tokenFile", "as", "as-uid", "username", "password"),
            *("server", "tls-server-name", "proxy-url"),
            *("certificate-authority", "certificate-authority-data"),
        ),
        str,
    ),
    **dict.fromkeys(("as-groups", "extensions"), list),
    **dict.fromkeys(("as-user-extra", "auth-provider", "exec"), dict),
    **dict.fromkeys(("insecure-skip-tls-verify", "disable-compression"), bool),
}


def unknown_keys(*entries: Entry) -> tuple[str, ...]:
    """Keys that nothing reads, each with its place: most are misspelt, and one was meant to say
    who asks.
    """
    return tuple(
        f"{entry.where}: {key}" for entry in entries for key in entry.values if key not in _KINDS
    )


def refuse_odd_values(*entries: Entry) -> None:
    """Raises Blocked: a value of another kind than its key takes, be it used or not."""
    for entry in entries:
        entry.check(_KINDS)


def has_certificate(user: Entry) -> bool:
    return bool(user.text("client-certificate") or user.text("client-certificate-data"))


def refuse_contradictions(user: Entry) -> None:
    """Raises Blocked: two logins that exclude each other, or a certificate without its key."""
    if user.text("token") and (user.text("username") or user.text("password")):
        raise user.mistake("token", "stands beside a username or password", _ONE_OF_BOTH)
    if user.mapping("exec") is not None and user.mapping("auth-provider") is not None:
        raise user.mistake("exec", "stands beside auth-provider", _ONE_OF_BOTH)
    if not has_certificate(user):
        return
    if not (user.text("client-key") or user.text("client-key-data")):
        raise user.mistake("client-key", "is missing; a client-certificate needs it")
    for key in ("client-certificate", "client-key"):
        refuse_doubled(user, key)


def refuse_username(user: Entry, beside: str) -> None:
    """Raises Blocked: a username, beside a key that excludes it."""
    if user.text("username"):
        raise user.mistake(beside, "stands beside a username", _ONE_OF_BOTH)


def refuse_doubled(entry: Entry, key: str) -> None:
    """Raises Blocked: a file and data for one and the same."""
    if entry.text(key) and entry.text(f"{key}-data"):
        raise entry.mistake(key, f"stands beside {key}-data", _ONE_OF_BOTH)


def refuse_insecure_authority(cluster: Entry) -> None:
    """Raises Blocked: an authority that insecure-skip-tls-verify makes void."""
    refuse_doubled(cluster, "certificate-authority")
    has_authority = cluster.text("certificate-authority") or cluster.text(
        "certificate-authority-data"
    )
    if has_authority and cluster.flag("insecure-skip-tls-verify"):
        raise cluster.mistake(
            "insecure-skip-tls-verify", "stands beside a certificate-authority", _ONE_OF_BOTH
        )
