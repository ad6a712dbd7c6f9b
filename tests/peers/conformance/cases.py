"""The matrix: one row per kubeconfig that people have, or that a mistake makes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from peers.conformance.world import World, coded, document

Build = Callable[[World, Path], Mapping[str, Any] | str | bytes]
CASES: dict[str, Build] = {}


def case(name: str) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        assert name not in CASES
        CASES[name] = build
        return build

    return add


def user_case(name: str, user: Callable[[World, Path], Mapping[str, Any]]) -> None:
    CASES[name] = lambda w, f: document(w.door(), user(w, f))


def cluster_case(name: str, cluster: Callable[[World, Path], Mapping[str, Any]]) -> None:
    CASES[name] = lambda w, f: document(cluster(w, f), {"token": w.token})


def text_case(name: str, text: Callable[[str, World], str | bytes]) -> None:
    CASES[name] = lambda w, _: text(
        yaml.safe_dump(document(w.door(), {"token": w.token}), sort_keys=False), w
    )


def kept(folder: Path, name: str, content: bytes | str) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def plugin(world: World, folder: Path, *, token: str | None = None, **changes: Any) -> Any:
    """An exec entry whose program gives a token, and fails where `token` is empty."""
    given = world.token if token is None else token
    version = changes.get("apiVersion", "client.authentication.k8s.io/v1")
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": given}}
    body = f"print({json.dumps(answer)!r})" if given else "raise SystemExit('no login')"
    program = folder / "plugin"
    program.write_text(f"#!{sys.executable}\n{body}\n")
    program.chmod(0o700)
    entry = {"apiVersion": version, "command": str(program), "interactiveMode": "Never"}
    return {key: value for key, value in (entry | changes).items() if value is not None}


def certificate(world: World) -> dict[str, str]:
    return {
        "client-certificate-data": coded(world.client.certificate),
        "client-key-data": coded(world.client.key),
    }


# Authorities

cluster_case("authority as data", lambda w, f: w.door())
cluster_case(
    "authority as a file",
    lambda w, f: w.door(
        certificate_authority_data=None,
        certificate_authority=kept(f, "ca.crt", w.authorities["main"]),
    ),
)
cluster_case(
    "authority in a file beside the kubeconfig",
    lambda w, f: (
        kept(f, "ca.crt", w.authorities["main"])
        and w.door(certificate_authority_data=None, certificate_authority="ca.crt")
    ),
)
cluster_case(
    "authority as data and as a file",
    lambda w, f: w.door(certificate_authority=kept(f, "ca.crt", w.authorities["main"])),
)
cluster_case(
    "authority in a file that is absent",
    lambda w, f: w.door(certificate_authority_data=None, certificate_authority="absent.crt"),
)
cluster_case("no authority", lambda w, f: w.door(certificate_authority_data=None))
cluster_case("a strange authority", lambda w, f: w.door(server=w.urls["root"]))
for _door in (
    *("root", "intermediate", "leaf", "rotated", "rotated back", "rotated often", "renewed"),
    *("old intermediate beside the root", "of a weak key", "for any purpose", "for clients"),
):
    cluster_case(f"authority is {_door}", lambda w, f, door=_door: w.door(door))  # type: ignore[misc]
cluster_case(
    "a certificate without names",
    lambda w, f: w.door(
        "without names", server=w.urls["without names"].replace("127.0.0.1", "localhost")
    ),
)

for _name, _wrap in {
    "an accent above": lambda pem: "# Autorité\n".encode() + pem,
    "an accent in latin-1": lambda pem: b"Autorit\xe9\n" + pem,
    "carriage returns": lambda pem: pem.replace(b"\n", b"\r\n"),
    "spaces at line ends": lambda pem: pem.replace(b"\n", b"  \n"),
    "a key beside it": lambda pem: (
        pem + b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"
    ),
    "nonsense after it": lambda pem: (
        pem + b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
    ),
    "a byte order mark": lambda pem: b"\xef\xbb\xbf" + pem,
    "a headed block": lambda pem: pem.replace(b"-----\n", b"-----\nProc-Type: 4\n\n", 1),
    "indented": lambda pem: b"".join(b"  " + line + b"\n" for line in pem.splitlines()),
    "no last newline": lambda pem: pem.rstrip(),
    "nothing but words": lambda pem: b"words\n",
    "nothing at all": lambda pem: b"",
}.items():
    CASES[f"PEM: {_name}"] = lambda w, f, wrap=_wrap: document(  # type: ignore[misc]
        w.door(
            certificate_authority_data=None,
            certificate_authority=kept(f, "ca.crt", wrap(w.authorities["main"])),
        ),
        {"token": w.token},
    )
cluster_case(
    "authority data over several lines",
    lambda w, f: w.door(certificate_authority_data=_folded(coded(w.authorities["main"]))),
)
cluster_case(
    "authority data that is not base64",
    lambda w, f: w.door(certificate_authority_data="&" + coded(w.authorities["main"])),
)


def _folded(text: str) -> str:
    return "\n".join(text[i : i + 64] for i in range(0, len(text), 64)) + "\n"


# Servers

cluster_case("insecure", lambda w, f: w.door(certificate_authority_data=None, **_INSECURE))
cluster_case("insecure, and an authority", lambda w, f: w.door(**_INSECURE))
cluster_case("insecure, and a wrong authority", lambda w, f: w.door("root", **_INSECURE))
_INSECURE: dict[str, Any] = {"insecure_skip_tls_verify": True}
cluster_case("tls-server-name", lambda w, f: w.door(tls_server_name="kubernetes.llmgw-demo.test"))
cluster_case("a wrong tls-server-name", lambda w, f: w.door(tls_server_name="elsewhere.test"))
cluster_case(
    "server without a scheme", lambda w, f: w.door(server=w.urls["main"].removeprefix("https://"))
)
cluster_case(
    "server without a scheme or an authority",
    lambda w, f: w.door(
        server=w.urls["main"].removeprefix("https://"), certificate_authority_data=None
    ),
)
cluster_case("plain HTTP", lambda w, f: {"server": w.urls["plain"]})
cluster_case(
    "plain HTTP without a scheme",
    lambda w, f: {"server": w.urls["plain"].removeprefix("http://")},
)
CASES["plain HTTP with another's token"] = lambda w, f: document(
    {"server": w.urls["plain"]}, {"token": "wrong", "as": "jane"}
)
CASES["plain HTTP with a plugin that fails"] = lambda w, f: document(
    {"server": w.urls["plain"]}, {"exec": plugin(w, f, token="")}
)
cluster_case("IPv6", lambda w, f: w.door("v6"))
cluster_case("server with a slash", lambda w, f: w.door(server=w.urls["main"] + "/"))
cluster_case("server with a query", lambda w, f: w.door(server=w.urls["main"] + "/?a=b"))
cluster_case("no server", lambda w, f: w.door(server=""))
cluster_case("another scheme", lambda w, f: w.door(server="ftp://127.0.0.1:1"))
cluster_case(
    "localhost", lambda w, f: w.door(server=w.urls["main"].replace("127.0.0.1", "localhost"))
)
for _proxy in ("http", "socks5", "https", "https of a stranger"):
    cluster_case(f"proxy: {_proxy}", lambda w, f, p=_proxy: w.door(proxy_url=w.proxies[p]))  # type: ignore[misc]
cluster_case(
    "proxy: https of a stranger, insecure",
    lambda w, f: w.door(
        proxy_url=w.proxies["https of a stranger"], certificate_authority_data=None, **_INSECURE
    ),
)
cluster_case(
    "proxy: https and tls-server-name",
    lambda w, f: w.door(proxy_url=w.proxies["https"], tls_server_name="kubernetes.llmgw-demo.test"),
)
cluster_case(
    "proxy: without a scheme",
    lambda w, f: w.door(proxy_url=w.proxies["http"].removeprefix("http://")),
)
cluster_case("proxy: another scheme", lambda w, f: w.door(proxy_url="ftp://127.0.0.1:1"))
cluster_case("disable-compression", lambda w, f: w.door(disable_compression=True))
cluster_case("a key that no one knows", lambda w, f: w.door(colour="blue"))
cluster_case("insecure as text", lambda w, f: w.door(insecure_skip_tls_verify="true"))

# Users

user_case("token", lambda w, f: {"token": w.token})
user_case("a wrong token", lambda w, f: {"token": "wrong"})
user_case("no login", lambda w, f: {})
user_case("tokenFile", lambda w, f: {"tokenFile": kept(f, "token", w.token)})
user_case("tokenFile with a newline", lambda w, f: {"tokenFile": kept(f, "token", f"{w.token}\n")})
user_case("tokenFile with two lines", lambda w, f: {"tokenFile": kept(f, "token", f"{w.token}\nx")})
user_case("tokenFile absent", lambda w, f: {"tokenFile": "absent"})
user_case("tokenFile empty", lambda w, f: {"tokenFile": kept(f, "token", "")})
user_case(
    "token and tokenFile", lambda w, f: {"token": "wrong", "tokenFile": kept(f, "token", w.token)}
)
user_case(
    "token and a wrong tokenFile",
    lambda w, f: {"token": w.token, "tokenFile": kept(f, "token", "wrong")},
)
user_case("token and an absent tokenFile", lambda w, f: {"token": w.token, "tokenFile": "absent"})
user_case(
    "token and an empty tokenFile",
    lambda w, f: {"token": w.token, "tokenFile": kept(f, "token", "")},
)
user_case("token with a newline", lambda w, f: {"token": w.token + "\n"})
user_case("token with a space", lambda w, f: {"token": w.token + " "})
user_case("token with an accent", lambda w, f: {"token": w.token + "é"})
user_case("token as a number", lambda w, f: {"token": 12})
user_case("password", lambda w, f: {"username": "demo", "password": "secret"})
user_case("password without a name", lambda w, f: {"token": w.token, "password": "secret"})
user_case("token and password", lambda w, f: {"token": w.token, "username": "a", "password": "b"})
user_case("certificate", lambda w, f: certificate(w))
user_case("certificate and token", lambda w, f: certificate(w) | {"token": w.token})
user_case("certificate and a wrong token", lambda w, f: certificate(w) | {"token": "wrong"})
user_case(
    "certificate and key as files",
    lambda w, f: {
        "client-certificate": kept(f, "c", w.client.certificate),
        "client-key": kept(f, "k", w.client.key),
    },
)
CASES["certificate with its chain"] = lambda w, f: document(
    w.door("clients of another"),
    {
        "client-certificate": kept(f, "c", w.client_of_middle.certificate.replace(b"\n", b"\r\n")),
        "client-key-data": coded(w.client_of_middle.key),
    },
)
user_case(
    "certificate as data and file",
    lambda w, f: certificate(w) | {"client-certificate": kept(f, "c", w.client.certificate)},
)
user_case(
    "key in the certificate's file",
    lambda w, f: {"client-certificate": kept(f, "c", w.client.certificate + w.client.key)},
)
user_case(
    "key without a certificate",
    lambda w, f: {"token": w.token, "client-key-data": coded(w.client.key)},
)
user_case(
    "certificate with an accent above",
    lambda w, f: {
        "client-certificate": kept(f, "c", "é\n".encode() + w.client.certificate),
        "client-key": kept(f, "k", "é\n".encode() + w.client.key),
    },
)
user_case(
    "a certificate and another's key",
    lambda w, f: certificate(w) | {"client-key-data": coded(w.cluster.authority.client("x").key)},
)

# Impersonation

for _name, _as in {
    "as": {"as": "jane"},
    "as and a group": {"as": "jane", "as-groups": ["a"]},
    "as and groups": {"as": "jane", "as-groups": ["a", "b", "c"]},
    "as and uid": {"as": "jane", "as-uid": "42"},
    "as and extras": {"as": "jane", "as-user-extra": {"reason": ["x", "y"], "Scope/Of%": ["z"]}},
    "as and all": {
        "as": "jane",
        "as-groups": ["a", "b"],
        "as-uid": "7",
        "as-user-extra": {"k": ["v"]},
    },
    "as with an accent": {"as": "Jörg", "as-groups": ["Straße"]},
    "as in Chinese": {"as": "机器"},
    "as whom it may not be": {"as": "no one"},
    "groups without as": {"as-groups": ["a"]},
    "uid without as": {"as-uid": "a"},
    "extras without as": {"as-user-extra": {"k": ["v"]}},
    "as with a newline": {"as": "jane\n"},
    "as-groups as text": {"as": "jane", "as-groups": "a"},
    "as-groups with a number": {"as": "jane", "as-groups": [1]},
    "as-user-extra as text": {"as": "jane", "as-user-extra": {"k": "v"}},
    "as-user-extra empty": {"as": "jane", "as-user-extra": {"k": []}},
}.items():
    user_case(f"impersonation: {_name}", lambda w, f, a=_as: {"token": w.token} | a)  # type: ignore[misc]
user_case("a key that no one knows, of a user", lambda w, f: {"token": w.token, "as-team": "x"})
