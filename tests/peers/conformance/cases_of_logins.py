"""The matrix's rows about login plugins and providers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from peers.conformance.cases import certificate, kept, plugin, user_case

if TYPE_CHECKING:
    from peers.conformance.world import World

user_case("exec", lambda w, f: {"exec": plugin(w, f)})
user_case(
    "exec in v1beta1",
    lambda w, f: {"exec": plugin(w, f, apiVersion="client.authentication.k8s.io/v1beta1")},
)
user_case(
    "exec in v1alpha1",
    lambda w, f: {"exec": plugin(w, f, apiVersion="client.authentication.k8s.io/v1alpha1")},
)
user_case("exec without a mode", lambda w, f: {"exec": plugin(w, f, interactiveMode=None)})
user_case("exec with an unknown mode", lambda w, f: {"exec": plugin(w, f, interactiveMode="x")})
user_case("exec without a command", lambda w, f: {"exec": plugin(w, f, command=None)})
user_case("exec that fails", lambda w, f: {"exec": plugin(w, f, token="")})
user_case("exec with a newline in its token", lambda w, f: {"exec": plugin(w, f, token="a\nb")})
user_case("exec beside a token", lambda w, f: {"token": w.token, "exec": plugin(w, f, token="")})
user_case("exec beside a wrong token", lambda w, f: {"token": "wrong", "exec": plugin(w, f)})
user_case(
    "exec beside a tokenFile",
    lambda w, f: {"tokenFile": kept(f, "t", w.token), "exec": plugin(w, f, token="")},
)
user_case(
    "exec beside a certificate", lambda w, f: certificate(w) | {"exec": plugin(w, f, token="")}
)
user_case(
    "exec beside a password",
    lambda w, f: {"username": "a", "password": "b", "exec": plugin(w, f)},
)
user_case(
    "exec beside a provider",
    lambda w, f: {"exec": plugin(w, f), "auth-provider": {"name": "oidc", "config": {}}},
)
user_case("exec with a null in env", lambda w, f: {"exec": plugin(w, f, env=[{"name": "A"}])})
user_case(
    "exec with a number in env",
    lambda w, f: {"exec": plugin(w, f, env=[{"name": "A", "value": 1}])},
)
user_case("exec with a number in args", lambda w, f: {"exec": plugin(w, f, args=[1])})
for _name, _env in {
    "a variable twice": [{"name": "A", "value": "1"}, {"name": "A"}],
    "a name with =": [{"name": "A=b", "value": "c"}],
    "an empty name": [{"name": "", "value": "1"}],
    "a nameless variable": [{"value": "1"}],
    "a null": [None],
}.items():
    user_case(f"exec with {_name}", lambda w, f, env=_env: {"exec": plugin(w, f, env=env)})  # type: ignore[misc]
user_case("exec with a null in args", lambda w, f: {"exec": plugin(w, f, args=[None])})
user_case("exec with args as text", lambda w, f: {"exec": plugin(w, f, args="a")})
user_case("exec with a mapping of args", lambda w, f: {"exec": plugin(w, f, args={})})
user_case("exec that must ask", lambda w, f: {"exec": plugin(w, f, interactiveMode="Always")})
user_case(
    "exec with the cluster's info as text",
    lambda w, f: {"exec": plugin(w, f, provideClusterInfo="true")},
)
for _login in ("token", "tokenFile", "certificate"):
    user_case(
        f"{_login} beside an exec of nothing",
        lambda w, f, login=_login: _alone(w, f, login) | {"exec": {}},  # type: ignore[misc]
    )
    user_case(
        f"{_login} beside a provider of another name",
        lambda w, f, login=_login: _alone(w, f, login) | {"auth-provider": {"name": "gcp"}},  # type: ignore[misc]
    )
    user_case(
        f"{_login} beside a provider of nothing",
        lambda w, f, login=_login: _alone(w, f, login) | {"auth-provider": {}},  # type: ignore[misc]
    )
user_case("tokenFile beside a username", lambda w, f: _alone(w, f, "tokenFile") | {"username": "a"})
user_case("tokenFile beside a password", lambda w, f: _alone(w, f, "tokenFile") | {"password": "a"})


def _alone(world: World, folder: Path, login: str) -> dict[str, str]:
    return {
        "token": {"token": world.token},
        "tokenFile": {"tokenFile": kept(folder, "t", world.token)},
        "certificate": certificate(world),
    }[login]


# What a plugin prints


def answer_case(name: str, text: Callable[[dict[str, object]], str]) -> None:
    def user(world: World, folder: Path) -> dict[str, object]:
        answer: dict[str, object] = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": world.token},
        }
        entry = plugin(world, folder)
        program = Path(entry["command"])
        program.write_text(f"#!{sys.executable}\nprint({text(answer)!r}, end='')\n")
        return {"exec": entry}

    user_case(f"plugin's answer: {name}", user)


answer_case("YAML", yaml.safe_dump)
answer_case("a mark before it", lambda a: "\ufeff" + json.dumps(a))
answer_case("something after it", lambda a: json.dumps(a) + "\nbye")
answer_case("another kind", lambda a: json.dumps(a | {"kind": "Foo"}))
answer_case("no status", lambda a: json.dumps(a | {"status": None}))
answer_case("another version", lambda a: json.dumps(a | {"apiVersion": f"{a['apiVersion']}beta1"}))
for _name, _more in {
    "an end without a zone": {"expirationTimestamp": "2101-01-01T00:00:00"},
    "an end with one": {"expirationTimestamp": "2101-01-01T00:00:00.5+02:00"},
    "an empty end": {"expirationTimestamp": ""},
    "a certificate without its key": {"clientCertificateData": "x"},
}.items():
    answer_case(_name, lambda a, more=_more: json.dumps(a | {"status": a["status"] | more}))  # type: ignore
user_case(
    "exec by a relative path",
    lambda w, f: {"exec": plugin(w, f) | {"command": "./plugin"}},
)
user_case("provider of another name", lambda w, f: {"auth-provider": {"name": "gcp"}})
user_case(
    "token beside a provider",
    lambda w, f: {"token": w.token, "auth-provider": {"name": "oidc", "config": _oidc("wrong")}},
)
user_case("provider", lambda w, f: {"auth-provider": {"name": "oidc", "config": _oidc(w.token)}})


def _oidc(token: str) -> dict[str, str]:
    return {"idp-issuer-url": "https://127.0.0.1:1", "client-id": "c", "id-token": token}
