"""Takes out of a text what a stranger must not read: secrets, and who and where someone is.

Secrets become `[secret]`. A host, an address, an account or a folder becomes a word that is the
same throughout the text, so that it can still be followed. Pure. What it cannot know is the meaning
of a name: contexts, namespaces and pods stay, because a fault is not understood without them.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from llmgwctl.rules.secrets import BLANK, blank_out, written_forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SECRET_NAME = re.compile(r"(?i)key|token|secret|pass|_pwd|_pat$|credential|auth|cookie|dsn")
# Shorter values are words: AUTH=yes would blank out every "yes".
_LEAST_SECRET = 8
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}")
_IP = r"\d{1,3}(?:\.\d{1,3}){3}"
# As long as a name in DNS may be: without bounds a long word takes time by its square.
_LABEL = r"[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL}){{0,9}}"
_HOST = re.compile(
    rf"(?<=://)(?P<url>\[[0-9a-fA-F:]+\]|{_NAME})"
    rf"|(?<![\w.-])(?P<port>{_NAME}\.[\w-]{{0,62}}[A-Za-z0-9])(?=:\d)"
    rf"|(?<![\w.-])(?P<ip>{_IP})(?![\w.-])"
    r"|\[(?P<six>[0-9a-fA-F]{0,4}:[0-9a-fA-F:]{1,40})\]"
    # A name of three parts and more, which no file and no module of Python has.
    rf"|(?<![\w./-])(?P<long>{_NAME}\.[\w-]{{1,63}}\.[A-Za-z]{{2,63}})(?![\w./(-])"
)
# Of this machine, of Kubernetes' own vocabulary, or a file with the number of a line.
_PUBLIC = re.compile(
    r"(?:localhost|127\..*|0\.0\.0\.0|\[?::1?\]?|.*\.k8s\.io|.*\.kubernetes\.io"
    r"|.*\.(?:py|toml|ya?ml|json|service|socket|plist|txt|log|conf))\Z"
)
# What no person wrote: a key of a form that we do not know. A name of Kubernetes, a version and a
# path are made of shorter pieces, and a digest says itself what it is.
_WORD = re.compile(r"(?<![\w+/])(?<!sha256:)[\w+/-]{16,}")
_LEAST_MIXED, _LEAST_PLAIN, _LEAST_DIGITS = 16, 28, 4
_AWS_SECRET = 40
_ACCOUNTS_OF_EVERYONE = ("root", "user", "admin", "nobody", "ubuntu", "debian", "llmgw", "litellm")
_LEAST_NAME = 3


class Person(NamedTuple):
    """Who is at this machine: the account's name and home, the machine's name, the environment."""

    account: str
    home: str
    machine: str
    environ: Mapping[str, str]

    def secrets(self) -> Iterator[str]:
        for name, value in self.environ.items():
            found = [value, *value.splitlines()] if _SECRET_NAME.search(name) else []
            for secret in (*found, *_passwords(value)):
                if len(secret) >= _LEAST_SECRET:
                    yield from written_forms(secret)


def _passwords(value: str) -> Iterator[str]:
    """Give the password of a URL, as a proxy's variable holds it."""
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def disguise(text: str, person: Person) -> str:
    """Give the text as a stranger may read it."""
    text = blank_out(text, sorted(set(person.secrets()), key=len, reverse=True))
    if len(person.home) > 1:
        text = text.replace(person.home, "~")
    text = _aliased(text, _found(_MAIL, text), "account")
    text = _aliased(text, _hosts(text), "host")
    # After the hosts, of which some are as long as a key.
    text = _WORD.sub(lambda word: BLANK if _is_random(word[0]) else word[0], text)
    for name, alias in ((person.machine, "this-machine"), (person.account, "this-account")):
        if len(name) >= _LEAST_NAME and name not in _ACCOUNTS_OF_EVERYONE:
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", alias, text)
    return text


def _is_random(word: str) -> bool:
    if len(word) == _AWS_SECRET and word[0] != "/" and _is_mixed(word):
        return True
    return any(
        (len(piece) >= _LEAST_MIXED and _is_mixed(piece))
        or (
            len(piece) >= _LEAST_PLAIN
            and sum(map(str.isdigit, piece)) >= _LEAST_DIGITS
            and sum(map(str.isalpha, piece)) >= _LEAST_DIGITS
        )
        for piece in re.split(r"[-_/]", word)
    )


def _is_mixed(word: str) -> bool:
    return all(any(map(kind, word)) for kind in (str.isupper, str.islower, str.isdigit))


def _found(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return (match[0] for match in pattern.finditer(text))


def _hosts(text: str) -> Iterator[str]:
    for match in _HOST.finditer(text):
        kind, host = match.lastgroup, match[match.lastgroup or 0]
        if _PUBLIC.match(host) or host == BLANK:
            continue
        if kind == "long" and host.partition(".")[0] in _MODULES:
            continue
        yield host


_MODULES = frozenset(sys.stdlib_module_names) | {
    *(
        "aiohttp",
        "anyio",
        "dev",
        "kubernetes_asyncio",
        "llmgwctl",
        "llmgwd",
        "structlog",
        "tenacity",
    )
}


def _aliased(text: str, found: Iterable[str], word: str) -> str:
    """Give each a number in the order in which they come, and replace it wherever it stands."""
    aliases = {each: f"{word}-{number}" for number, each in enumerate(dict.fromkeys(found), 1)}
    # The longest first: one name may be a part of another.
    for each in sorted(aliases, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(each)}(?![\w-])", aliases[each], text)
    return text
