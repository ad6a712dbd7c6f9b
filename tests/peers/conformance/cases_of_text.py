"""The matrix's rows about the text of the file itself, and about which of its entries count."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path

from peers.conformance.cases import CASES, text_case
from peers.conformance.world import World, document

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


def _named(world: World, name: str, more: str = "") -> str:
    """YAML with this name, as it is written, and more keys after it."""
    made = document(world.door(), {"token": world.token}, "NAME")
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in made.items())
    first, _, rest = lines.partition('"NAME"')
    # An anchor stands but once.
    return f"{first} {name} {rest}".replace('"NAME"', f" {name.removeprefix('&a ')} ") + more


# By what is put in place of the word NAME, or after the text.
for _name, _word in {
    "an anchor": ("&a c", "x: *a\n"),
    "a tag for text": ("!!str 12", ""),
    "a tag that no one knows": ("!foo 12", ""),
    "a tag that does not fit": ("!!null c", ""),
    "a tag for bytes": ("!!binary Yw==", ""),
    "a date by its tag": ("!!timestamp 2026-01-02", ""),
    "a name beyond all numbers": ("1e400", ""),
    "escapes": (r'"\x63\u00e9\U0001F600"', ""),
    "a set": ("c", "x: !!set {a, b}\n"),
    "a number beyond 64 bits": ("c", f"x: {10**30}\n"),
    "a key that is a number": ("c", "1: a\n"),
    "a key that is null": ("c", "~: a\n"),
    "a key that is a list": ("c", "[a]: a\n"),
    "an object of Python": ("c", "x: !!python/object/apply:os.system [true]\n"),
    "a second document that is broken": ("c", "---\na: [\n"),
}.items():
    CASES[f"text: {_name}"] = lambda w, f, word=_word: _named(w, word[0], word[1])  # type: ignore[misc]


def _merging(merge: str) -> Callable[[World, Path], str]:
    """A merge into the cluster, behind its own keys."""

    def build(world: World, folder: Path) -> str:
        whole = json.dumps(document(world.door() | {"x": 1}, {"token": world.token}))
        return f"# YAML\n{whole}".replace('"x": 1', f'"x": 1, "<<": {merge}').replace('"<<"', "<<")

    return build


_RIGHT, _WRONG = ('{"tls-server-name": "%s"}' % name for name in ("kubernetes", "elsewhere.test"))  # noqa: UP031
for _name, _merge in {
    "a merge": _RIGHT,
    "a merge of a wrong name": _WRONG,
    "a merge of several": f"[{_WRONG}, {_RIGHT}]",
    "a merge over what is there": '{"server": "https://127.0.0.1:1"}',
    "a merge of text": "a",
}.items():
    CASES[f"text: {_name}"] = _merging(_merge)
CASES["text: a directive of YAML 1.2"] = lambda w, f: "%YAML 1.2\n---\n" + _named(w, "c")
CASES["text: JSON with pairs of surrogates"] = lambda w, f: json.dumps(
    document(w.door(), {"token": w.token}, "\U0001f600")
)
CASES["text: JSON with half a pair"] = lambda w, f: json.dumps(
    document(w.door(), {"token": w.token}, "\ud83d")
)

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
