"""The matrix's rows about users: tokens, passwords, certificates, and whom they impersonate."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

from peers.conformance.cases import CASES, certificate, kept, user_case
from peers.conformance.world import World, coded, document

user_case("token", lambda w, f: {"token": w.token})
user_case("a wrong token", lambda w, f: {"token": "wrong"})
user_case("no login", lambda w, f: {})
user_case("tokenFile", lambda w, f: {"tokenFile": kept(f, "token", w.token)})
user_case("tokenFile with a newline", lambda w, f: {"tokenFile": kept(f, "token", f"{w.token}\n")})
user_case("tokenFile with two lines", lambda w, f: {"tokenFile": kept(f, "token", f"{w.token}\nx")})
user_case("tokenFile in UTF-16", lambda w, f: {"tokenFile": kept(f, "t", b"\xff\xfea\0")})
user_case(
    "token and a tokenFile that is no text",
    lambda w, f: {"token": w.token, "tokenFile": kept(f, "t", b"\xe9")},
)
user_case("tokenFile with a separator", lambda w, f: {"tokenFile": kept(f, "t", w.token + "\x1f")})
user_case("tokenFile that is a folder", lambda w, f: {"tokenFile": str(f)})
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
user_case("password as a number", lambda w, f: {"token": w.token, "password": 1})
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

# PEM of a certificate and its key

for _name, _wrap in {
    "an accent above": lambda pem: "é\n".encode() + pem,
    "a byte order mark and carriage returns": lambda pem: (
        codecs.BOM_UTF8 + pem.replace(b"\n", b"\r\n")
    ),
    "a block cut short above": lambda pem: b"-----BEGIN CERTIFICATE-----\nAAAA\n" + pem,
    "an empty line": lambda pem: pem.replace(b"\n", b"\n\n", 1),
    "headers": lambda pem: pem.replace(b"-----\n", b"-----\nA: b\n", 1),
    "another name": lambda pem: pem.replace(b"BEGIN ", b"BEGIN MY ").replace(b"END ", b"END MY "),
}.items():
    for _key in ("certificate", "key"):

        def _wrapped(
            w: World, f: Path, wrap: Callable[[bytes], bytes] = _wrap, key: str = _key
        ) -> dict[str, str]:
            pems = {"certificate": w.client.certificate, "key": w.client.key}
            pems[key] = wrap(pems[key])
            return {f"client-{each}": kept(f, each, pem) for each, pem in pems.items()}

        user_case(f"PEM of a client's {_key}: {_name}", _wrapped)
for _kind in ("RSA ", "EC "):
    user_case(
        f"a key by the name of {_kind}",
        lambda w, f, kind=_kind: (
            certificate(w)  # type: ignore[misc]
            | {
                "client-key-data": coded(
                    w.client.key.replace(b" PRIVATE", f" {kind}PRIVATE".encode())
                )
            }
        ),
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
    "extras of two spellings": {"as": "jane", "as-user-extra": {"k": ["v"], "K": ["v"]}},
    "extras with a number": {"as": "jane", "as-user-extra": {"a": [1]}},
    "extras of an odd key": {"as": "jane", "as-user-extra": {'größe %41:/"': ["x"]}},
    "extras that are empty": {"as": "jane", "as-user-extra": {"k": [""]}},
    "extras and a null": {"as": "jane", "as-user-extra": {"k": [None]}},
    "groups and a null": {"as": "jane", "as-groups": [None, "a"]},
    "groups with blanks": {"as": "jane", "as-groups": [" a "]},
    "empty": {"as": "", "as-groups": []},
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
