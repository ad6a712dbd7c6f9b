"""Kubeconfig entries as typed values: what a context, its cluster and its user say. Pure but for
the reading of the certificate files that they name.

Ours, not the Kubernetes library's: its loader (36.1) checks no value's type, and writes keys and
certificates into files of their own. Here every mistake is one line that names the file, the key,
what was found and what is allowed; no value of a key that may hold a secret is ever in it.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from llmgwctl.rules import regular_file
from llmgwctl.rules.nearest import by_likeness
from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked
from llmgwd.net.server import Server
from llmgwd.system.files.file_stamp import Mark, mark
from llmgwd.system.process.descriptors import raise_if_exhausted

T = TypeVar("T")
D = TypeVar("D")
_LISTED = 8
_LOGIN_IN_URL = re.compile(r"//[^/]*@")
# What each section is called, and what an entry of it holds under that name.
SECTIONS: Mapping[str, str] = {"clusters": "cluster", "contexts": "context", "users": "user"}
_KIND_NAMES: Mapping[type, str] = {
    str: "text",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
}


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """A mapping of a kubeconfig and where it stands: "FILE: user NAME"."""

    where: str
    file: str
    values: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Entry {self.where}>"

    def text(self, key: str) -> str:
        return self._typed(key, str, "")

    def flag(self, key: str) -> bool:
        return self._typed(key, bool, False)

    def mapping(self, key: str) -> Entry | None:
        values = self._typed(key, dict, None)
        return None if values is None else Entry(f"{self.where}: {key}", self.file, values)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; null in it is the empty one, as in Go."""
        values = ["" if value is None else value for value in self._typed(key, list, [])]
        if not all(isinstance(value, str) for value in values):
            raise self.mistake(key, "is not allowed: a list of texts is")
        return tuple(values)

    def check(self, kinds: Mapping[str, type]) -> None:
        """Raises Blocked: the value of a key is of another kind than is given for it here."""
        for key in self.values:
            if key in kinds:
                self._typed(key, kinds[key], None)

    def path(self, key: str) -> str:
        """A file's path; a relative one counts from the kubeconfig's folder."""
        text = self.text(key)
        return os.path.join(os.path.dirname(os.path.abspath(self.file)), text) if text else ""

    def mistake(self, key: str, problem: str, remedy: str = "") -> Blocked:
        return Blocked(ConditionKind.KUBECONFIG_INVALID, f"{self.where}: {key} {problem}", remedy)

    def _typed(self, key: str, kind: type[T], default: D) -> T | D:
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            found = type(value).__name__
            raise self.mistake(key, f"is a value of type {found}; allowed is {_KIND_NAMES[kind]}")
        return value


@dataclass(frozen=True, slots=True)
class Pem:
    """PEM from a `…-data` key (decoded) or from a file that is read each time it is asked for."""

    origin: str
    path: str
    content: bytes

    def __repr__(self) -> str:
        return f"<Pem {self.origin}>"

    def read(self) -> bytes:
        """Raises Blocked: the file cannot be read."""
        if not self.path:
            return self.content
        try:
            return regular_file.read(self.path)
        except OSError as error:
            raise_if_exhausted(error)
            raise Blocked(
                ConditionKind.CERTIFICATE_UNREADABLE,
                f"{self.origin}: cannot read {self.path}: {error.strerror}",
                f"Make {self.path} readable, or correct the kubeconfig.",
            ) from error

    def stamp(self) -> Mark | None:
        """Differs when the file does; None where the PEM is not in a file."""
        return mark(self.path) if self.path else None


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """A chosen context and what it leads to. `files` were read, in order of precedence."""

    files: tuple[str, ...]
    context: str
    namespace: str
    cluster_name: str
    cluster: Entry
    user: Entry

    @property
    def server(self) -> Server:
        return parse_server(self.cluster)


def choose(
    files: Sequence[str],
    sections: Mapping[str, Mapping[str, Entry]],
    current: str,
    wanted: str | None,
) -> Kubeconfig:
    """Pick a context out of merged sections ("contexts", "clusters", "users", by name).

    Raises:
        Blocked: no such context, or it leads to a cluster or user that is not there.
    """
    contexts, shown = sections["contexts"], ", ".join(files)
    name = wanted or current
    if not name and not contexts.get(""):
        raise Blocked(
            ConditionKind.CONTEXT_MISSING,
            f"{shown}: current-context is not set; contexts are {_listed('', contexts)}",
            "Choose one with kubectl config use-context, or set context in the configuration.",
        )
    if name not in contexts:
        raise Blocked(
            ConditionKind.CONTEXT_MISSING,
            f'{shown}: there is no context "{name}"; contexts are {_listed(name, contexts)}',
            "Set context to one of them, or choose one with kubectl config use-context.",
        )
    context = contexts[name]
    cluster_name = context.text("cluster")
    user_name = context.text("user")
    if cluster_name not in sections["clusters"]:
        known = _listed(cluster_name, sections["clusters"])
        raise context.mistake("cluster", f'is "{cluster_name}"; clusters are {known}')
    if user_name and user_name not in sections["users"]:
        known = _listed(user_name, sections["users"])
        raise context.mistake("user", f'is "{user_name}"; users are {known}')
    no_user = Entry(f"{context.file}: no user", context.file, {})
    return Kubeconfig(
        files=tuple(files),
        context=name,
        namespace=context.text("namespace") or "default",
        cluster_name=cluster_name,
        cluster=sections["clusters"][cluster_name],
        user=sections["users"].get(user_name, no_user),
    )


def check_document(path: str, document: object) -> Mapping[str, Any]:
    """Accept what YAML made of a kubeconfig file, or say what is wrong with its frame.

    Raises:
        Blocked: not a mapping, or a section that is not a list of entries, each of another name.
    """
    if document is None:
        return {}
    if not isinstance(document, dict):
        found = type(document).__name__
        raise Blocked(
            ConditionKind.KUBECONFIG_INVALID,
            f"{path}: holds a value of type {found}; a mapping with clusters, contexts and users "
            "is allowed",
            "Have the path lead to a kubeconfig.",
        )
    top = Entry(path, path, document)
    top.text("current-context")
    for key, allowed in (("apiVersion", "v1"), ("kind", "Config")):
        if (found := top.text(key)) and found != allowed:
            raise top.mistake(key, f'is "{found}"; allowed is {allowed}')
    for section, inner in SECTIONS.items():
        entries = document.get(section)
        if entries is not None and not isinstance(entries, list):
            raise top.mistake(section, "is not a list; a list of entries with a name is allowed")
        names: set[str] = set()
        for number, item in enumerate(entries or (), 1):
            named = isinstance(item, dict) and isinstance(item.get("name"), str | None)
            if not named or not isinstance(item.get(inner), dict | None):
                allowed = f"a mapping with name and {inner} is allowed"
                raise top.mistake(f"{section}[{number}]", f"is not an entry; {allowed}")
            name = item.get("name") or ""
            if name in names:
                # kubectl refuses it: which of both is meant is a guess.
                raise top.mistake(f"{section}[{number}]", f'is a second "{name}"', "Remove one.")
            names.add(name)
    return document


def parse_server(cluster: Entry) -> Server:
    """Read `server`; without a scheme it speaks plain HTTP, as in kubectl.

    Raises:
        Blocked: not an http or https URL.
    """
    text = cluster.text("server")
    try:
        parts = _server_parts(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    # urlsplit takes blanks away, which the API server's name cannot have.
    if parts.scheme not in ("http", "https") or not parts.hostname or text.split() != [text]:
        shown = _LOGIN_IN_URL.sub("//", text)
        raise cluster.mistake("server", f'is "{shown}"; allowed is https://HOST:PORT')
    is_tls = parts.scheme == "https"
    return Server(parts.hostname, port or (443 if is_tls else 80), parts.path.rstrip("/"), is_tls)


def login_in_server(cluster: Entry) -> tuple[str, str] | None:
    """The name and password in `server`'s URL, which Go's client takes before any other login."""
    parts = _server_parts(cluster.text("server"))
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def _server_parts(text: str) -> SplitResult:
    return urlsplit(text if "://" in text else f"http://{text}")


def read_pem(entry: Entry, key: str) -> Pem | None:
    """The PEM that `key` (a file) or `key-data` (base64) names; data wins, as in kubectl.

    Raises:
        Blocked: the data is not base64.
    """
    data, path = entry.text(f"{key}-data"), entry.path(key)
    origin = f"{entry.where}: {key}"
    if data:
        try:
            coded = data.replace("\r", "").replace("\n", "")
            return Pem(f"{origin}-data", "", base64.b64decode(coded, validate=True))
        except ValueError as error:  # so are binascii's own, and what is not ASCII
            raise Blocked(
                ConditionKind.CERTIFICATE_UNREADABLE,
                f"{origin}-data is not base64; PEM in base64 is allowed",
            ) from error
    return Pem(origin, path, b"") if path else None


def _listed(wanted: str, names: Mapping[str, Any]) -> str:
    return ", ".join(by_likeness(wanted, names)[:_LISTED]) or "none"
