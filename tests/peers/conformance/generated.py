"""Kubeconfigs from a grammar of fields that interact, and what kubectl makes of each.

`predict` is client-go's rules (clientcmd/validation.go and client_config.go, rest/transport.go,
transport/round_trippers.go) for just these fields; a test has kubectl itself judge a sample, so
that the model cannot drift from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from llmgwsim.api.auth.callers import Caller
from peers.conformance.cases import certificate, kept, plugin
from peers.conformance.world import coded, document, without_none

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from peers.conformance.world import World

_TLS_NAME: Final = "kubernetes.llmgw-demo.test"
_EXTRAS: Final = {"reason": ["x", "y"], "of/scope": ["z"]}


@dataclass(frozen=True)
class Pick:
    """One kubeconfig, as choices; "" leaves a field out. By default no login."""

    door: str = "main"
    authority: str = "data"
    is_insecure: bool = False
    tls_name: str = ""
    proxy: str = ""
    token: str = ""
    token_file: str = ""
    has_password: bool = False
    certificate: str = ""
    plugin: str = ""
    impersonated: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""
    has_extras: bool = False


_PLAIN: Final = Pick()
# Logins that work by themselves, and what else each field may say.
_LOGINS: Final[tuple[Mapping[str, Any], ...]] = (
    {"token": "good"},
    {"token_file": "good"},
    {"certificate": "data"},
    {"certificate": "file"},
    {"plugin": "good"},
)
_CHOICES: Final[Mapping[str, tuple[Any, ...]]] = {
    "door": ("root", "intermediate", "leaf", "plain"),
    "authority": ("file", "", "both", "wrong"),
    "is_insecure": (True,),
    "tls_name": (_TLS_NAME, "elsewhere.test"),
    "proxy": ("http", "socks5", "https", "https of a stranger"),
    "token": ("good", "wrong", "newline"),
    "token_file": ("good", "wrong", "absent", "empty"),
    "has_password": (True,),
    "certificate": ("data", "file", "both", "no key"),
    "plugin": ("good", "fails"),
    "impersonated": ("jane", "Jörg", "no one"),
    "groups": (("a",), ("a", "Straße", "a")),
    "uid": ("42",),
    "has_extras": (True,),
}


@st.composite
def picks(draw: st.DrawFn) -> Pick:
    """A kubeconfig that works, and up to five fields of it changed or added."""
    pick = replace(_PLAIN, **draw(st.sampled_from(_LOGINS)))
    if draw(st.booleans()):
        pick = replace(pick, impersonated="jane")
    if draw(st.booleans()):
        pick = replace(pick, is_insecure=True, authority="")
    for name in draw(st.sets(st.sampled_from(sorted(_CHOICES)), max_size=5)):
        pick = replace(pick, **{name: draw(st.sampled_from(_CHOICES[name]))})
    return pick


def build(pick: Pick, world: World, folder: Path) -> Mapping[str, Any]:
    """Write the files that a pick needs; give its kubeconfig."""
    return document(_cluster(pick, world, folder), _user(pick, world, folder))


def _cluster(pick: Pick, world: World, folder: Path) -> Mapping[str, Any]:
    if pick.door == "plain":
        return {"server": world.urls["plain"]}
    pem = world.authorities["rotated" if pick.authority == "wrong" else pick.door]
    in_file = pick.authority in ("file", "both")
    return without_none(
        {
            "server": world.urls[pick.door],
            "certificate-authority-data": coded(pem)
            if pick.authority in ("data", "both", "wrong")
            else None,
            "certificate-authority": kept(folder, "ca.crt", pem) if in_file else None,
            "insecure-skip-tls-verify": pick.is_insecure or None,
            "tls-server-name": pick.tls_name or None,
            "proxy-url": world.proxies[pick.proxy] if pick.proxy else None,
        }
    )


def _user(pick: Pick, world: World, folder: Path) -> Mapping[str, Any]:
    tokens = {"good": world.token, "wrong": "wrong", "newline": f"{world.token}\n", "empty": ""}
    user: dict[str, Any] = {}
    if pick.token:
        user["token"] = tokens[pick.token]
    if pick.token_file == "absent":
        user["tokenFile"] = "absent"
    elif pick.token_file:
        user["tokenFile"] = kept(folder, "token", tokens[pick.token_file] + "\n")
    if pick.has_password:
        user |= {"username": "demo", "password": "secret"}
    user |= _certificate(pick, world, folder)
    if pick.plugin:
        user["exec"] = plugin(world, folder, token=None if pick.plugin == "good" else "")
    asked = {
        "as": pick.impersonated,
        "as-groups": list(pick.groups),
        "as-uid": pick.uid,
        "as-user-extra": _EXTRAS if pick.has_extras else {},
    }
    return user | {key: value for key, value in asked.items() if value}


def _certificate(pick: Pick, world: World, folder: Path) -> Mapping[str, str]:
    as_data = certificate(world)
    as_files = {
        "client-certificate": kept(folder, "crt", world.client.certificate),
        "client-key": kept(folder, "key", world.client.key),
    }
    return {
        "": {},
        "data": as_data,
        "file": as_files,
        "both": as_data | as_files,
        "no key": {"client-certificate": as_files["client-certificate"]},
    }[pick.certificate]


def predict(pick: Pick) -> Caller | None:
    """Whom the server knows when pods are listed; None: refused."""
    if _is_contradictory(pick) or not _is_trusted(pick):
        return None
    caller = Caller("demo") if pick.door == "plain" else _authenticated(pick)
    if caller is None or not pick.impersonated:
        return caller
    if pick.impersonated == "no one":
        return None
    extras = tuple(sorted((key, tuple(values)) for key, values in _EXTRAS.items()))
    return Caller(pick.impersonated, pick.groups, pick.uid, extras if pick.has_extras else ())


def _is_contradictory(pick: Pick) -> bool:
    has_authority = pick.authority != "" and pick.door != "plain"
    return (
        (pick.authority == "both" and pick.door != "plain")
        or (pick.is_insecure and has_authority)
        or pick.certificate in ("both", "no key")
        or (pick.has_password and bool(pick.token))
        or (not pick.impersonated and bool(pick.groups or pick.uid or pick.has_extras))
    )


def _is_trusted(pick: Pick) -> bool:
    if pick.door == "plain" or pick.is_insecure:
        return True
    if pick.authority not in ("data", "file"):
        return False
    # Only the main door's certificate, and that of the proxy from the same authority, has a name.
    is_named = pick.tls_name == "" or (pick.tls_name == _TLS_NAME and pick.door == "main")
    by_proxy = {"https": pick.door == "main", "https of a stranger": False}
    return is_named and by_proxy.get(pick.proxy, True)


def _authenticated(pick: Pick) -> Caller | None:
    if pick.has_password and pick.token_file:
        return None
    bearer = pick.token
    if pick.token_file in ("good", "wrong"):
        bearer = pick.token_file
    elif pick.token_file and not pick.token:
        return None
    if bearer:
        return Caller("demo") if bearer == "good" else None
    if pick.certificate:
        return Caller("demo", ("team", "other"))
    if pick.has_password:
        return None
    return Caller("demo") if pick.plugin == "good" else None
