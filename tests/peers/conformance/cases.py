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
    "an empty line": lambda pem: pem.replace(b"\n", b"\n\n", 1),
    "blocks on one line": lambda pem: pem.rstrip() + pem,
    "words after its end": lambda pem: pem.rstrip() + b" x\n",
    "a block cut short above": lambda pem: b"-----BEGIN CERTIFICATE-----\nAAAA\n" + pem,
    "another name": lambda pem: pem.replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE"),
    "carriage returns alone": lambda pem: pem.replace(b"\n", b"\r"),
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
    "authority data with blanks",
    lambda w, f: w.door(
        certificate_authority_data=_folded(coded(w.authorities["main"])).replace("\n", " ")
    ),
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
for _name in ("[::1]", "localhost.", "127.0.0.1", "LOCALHOST", "a b", "localhost:443"):
    cluster_case(
        f"tls-server-name: {_name}",
        lambda w, f, name=_name: w.door(tls_server_name=name),  # type: ignore[misc]
    )
cluster_case("tls-server-name", lambda w, f: w.door(tls_server_name="kubernetes.llmgw-demo.test"))
cluster_case("a wrong tls-server-name", lambda w, f: w.door(tls_server_name="elsewhere.test"))
cluster_case(
    "server without a scheme", lambda w, f: w.door(server=w.urls["main"].removeprefix("https://"))
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
CASES["a login in the server's URL"] = lambda w, f: document(
    w.door(server=w.urls["main"].replace("//", "//a:b@")), {"token": w.token}
)
cluster_case("IPv6", lambda w, f: w.door("v6"))
cluster_case(
    "IPv4 in IPv6", lambda w, f: w.door(server=w.urls["main"].replace("127", "[::ffff:127") + "]")
)
cluster_case("a path of its own", lambda w, f: w.door("a path"))
CASES["a path of its own, by certificate"] = lambda w, f: document(
    w.door("a path", server=w.urls["a path"] + "/"), certificate(w)
)
cluster_case("another path", lambda w, f: w.door(server=w.urls["main"] + "/nowhere"))
cluster_case("server with a blank before it", lambda w, f: w.door(server=" " + w.urls["main"]))
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
        f"proxy and a path: {_proxy}",
        lambda w, f, p=_proxy: w.door("a path", proxy_url=w.proxies[p]),  # type: ignore[misc]
    )
    cluster_case(
        f"proxy and IPv6: {_proxy}",
        lambda w, f, p=_proxy: w.door("v6", proxy_url=w.proxies[p]),  # type: ignore[misc]
    )
    CASES[f"proxy and a certificate: {_proxy}"] = lambda w, f, p=_proxy: document(  # type: ignore[misc]
        w.door(proxy_url=w.proxies[p]), certificate(w)
    )
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
for _name in ("http", "socks5"):
    cluster_case(
        f"proxy: {_name}, with a blank",
        lambda w, f, p=_name: w.door(proxy_url=f" {w.proxies[p]}"),  # type: ignore[misc]
    )
cluster_case("proxy: another scheme", lambda w, f: w.door(proxy_url="ftp://127.0.0.1:1"))
cluster_case("disable-compression", lambda w, f: w.door(disable_compression=True))
cluster_case("a key that no one knows", lambda w, f: w.door(colour="blue"))
cluster_case("proxy: socks5h", lambda w, f: w.door(proxy_url="socks5h" + w.proxies["socks5"][6:]))
cluster_case("disable-compression as text", lambda w, f: w.door(disable_compression="true"))
cluster_case("insecure as text", lambda w, f: w.door(insecure_skip_tls_verify="true"))
