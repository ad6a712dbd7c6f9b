"""The matrix's rows about login plugins, providers and the text of the file itself."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from peers.conformance.cases import CASES, certificate, kept, plugin, text_case, user_case
from peers.conformance.world import World, document

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


# The text of the file

text_case("text: as it is", lambda t, w: t)
text_case("text: a leading ---", lambda t, w: f"---\n{t}")
text_case("text: a trailing ---", lambda t, w: f"{t}---\n")
text_case("text: a second document", lambda t, w: f"{t}---\na: b\n")
text_case("text: a trailing ...", lambda t, w: f"{t}...\n")
text_case("text: UTF-8 with a mark", lambda t, w: codecs.BOM_UTF8 + t.encode())
text_case("text: UTF-16 little", lambda t, w: codecs.BOM_UTF16_LE + t.encode("utf-16-le"))
text_case("text: UTF-16 big", lambda t, w: codecs.BOM_UTF16_BE + t.encode("utf-16-be"))
text_case("text: carriage returns", lambda t, w: t.replace("\n", "\r\n"))
text_case("text: latin-1", lambda t, w: b"# caf\xe9\n" + t.encode())
text_case("text: a tab before a value", lambda t, w: t.replace("kind: ", "kind:\t"))
text_case("text: a key twice", lambda t, w: t + "current-context: c\n")
text_case("text: empty", lambda t, w: "")
text_case("text: words", lambda t, w: "words")


def _json(indent: str | int | None) -> object:
    return lambda w, f: json.dumps(document(w.door(), {"token": w.token}), indent=indent)


CASES["text: JSON"] = _json(None)  # type: ignore[assignment]
CASES["text: JSON with tabs"] = _json("\t")  # type: ignore[assignment]
CASES["text: JSON with slashes"] = lambda w, f: json.dumps(
    document(w.door(), {"token": w.token})
).replace("/", "\\/")

for _name in (
    *("2026-01-02", "2026-01-02T03:04:05Z", "12:30", "12:30:45", "0x1f", "017", "08", "1_000"),
    *("12", "1e3", "1.5", ".5", "yes", "no", "on", "y", "n", "true", "null", "~", "=", "<<", "é"),
    *("0b1", "0o7", "+1", "-", ".inf", ".nan", "1.", "1e+3", "190:20:30.15", "a b", "_1", "'12'"),
):
    CASES[f"name: {_name}"] = lambda w, f, name=_name: _named(w, name)  # type: ignore[misc]


def _named(world: World, name: str) -> str:
    text = json.dumps(document(world.door(), {"token": world.token}, "NAME"))
    return "# YAML\n" + text.replace('"NAME"', f" {name} ")


for _section in ("clusters", "users", "contexts"):

    def _doubled(world: World, folder: Path, section: str = _section) -> dict[str, object]:
        made = document(world.door(), {"token": world.token})
        return made | {section: made[section] * 2}

    CASES[f"{_section} with a name twice"] = _doubled

    def _nameless(world: World, folder: Path, section: str = _section) -> dict[str, object]:
        made = document(world.door(), {"token": world.token})
        return made | {section: [*made[section], {}]}

    CASES[f"{_section} with an entry of nothing"] = _nameless

CASES["no user"] = lambda w, f: document(
    w.door(), {}, contexts=[{"name": "c", "context": {"cluster": "c"}}]
)
CASES["a user that is not there"] = lambda w, f: document(
    w.door(), {}, contexts=[{"name": "c", "context": {"cluster": "c", "user": "x"}}]
)
CASES["a cluster that is not there"] = lambda w, f: document(
    w.door(), {}, contexts=[{"name": "c", "context": {"cluster": "x", "user": "c"}}]
)
CASES["another user's mistake"] = lambda w, f: document(
    w.door(),
    {},
    users=[{"name": "c", "user": {"token": w.token}}, {"name": "d", "user": {"token": 1}}],
)
CASES["no current context"] = lambda w, f: document(w.door(), {}, **{"current-context": ""})
CASES["another version"] = lambda w, f: document(w.door(), {"token": w.token}, apiVersion="v2")
CASES["no version"] = lambda w, f: {
    key: value
    for key, value in document(w.door(), {"token": w.token}).items()
    if key not in ("apiVersion", "kind")
}
