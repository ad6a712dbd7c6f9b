"""The shape of what is known about a program: variables that lead it, variables that beat them.

`run`, `env`, `setup` and `doctor` read the same table, so that what one sets the other accepts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Endpoint(NamedTuple):
    """Where programs are led: `url` without a path, the key, and the gateway's models if known."""

    url: str
    key: str | None = None
    models: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"


class Variable(NamedTuple):
    """`sentence` says what of the person's it changes, where that is not to be seen by its name."""

    name: str
    value: str
    is_secret: bool = False
    sentence: str = ""

    def __repr__(self) -> str:
        return f"Variable({self.name!r})"


class Lead(NamedTuple):
    """A variable that leads a program; `template` holds {url} or {key}."""

    name: str
    template: str

    @property
    def is_key(self) -> bool:
        return "{key}" in self.template

    def value(self, endpoint: Endpoint) -> str:
        return self.template.format(url=endpoint.url, key=endpoint.key)


class Start(NamedTuple):
    """A program about to start: where it is led, its words, and what it finds."""

    endpoint: Endpoint
    model: str
    words: tuple[str, ...]
    environ: Mapping[str, str]
    folder: str

    def __repr__(self) -> str:
        return f"Start({self.endpoint!r})"


class Line(NamedTuple):
    """The words to start a program with, no secret in them, and what they change, as sentences."""

    words: list[str]
    sentences: list[str]


class Rival(NamedTuple):
    """Variables, by a pattern of whole names, that win over those that lead; and what they do.

    `is_key`: what it holds may be a key of the gateway's that the person chose. `harmless`: values,
    in lower case, with which it does nothing.
    """

    pattern: re.Pattern[str]
    effect: str
    is_key: bool = False
    harmless: tuple[str, ...] = ()

    def acts(self, value: str) -> bool:
        return bool(value) and value.strip().lower() not in self.harmless


# The values of a switch that is off.
NO = ("0", "false", "no", "off")


def rival(
    pattern: str, effect: str, *, is_key: bool = False, harmless: tuple[str, ...] = ()
) -> Rival:
    return Rival(re.compile(pattern), effect, is_key, harmless)


def no_variables(_endpoint: Endpoint, _environ: Mapping[str, str], _model: str) -> list[Variable]:
    return []


def as_given(start: Start) -> Line:
    return Line(list(start.words), [])


def no_obstacle(_environ: Mapping[str, str], _folder: str) -> str:
    return ""


class Program(NamedTuple):
    """One program, or one family of programs that read the same variables.

    `proxies` names, first wins, the variables that name a proxy for http:// addresses. `more` gives
    variables that depend on the gateway's models, what the shell has, and the model asked for;
    `line` what only the command line can say. `obstacle` says what leads it elsewhere that neither
    can beat, started in a folder.
    """

    name: str
    title: str
    commands: tuple[str, ...]
    leads: tuple[Lead, ...]
    proxies: tuple[str, ...]
    rivals: tuple[Rival, ...] = ()
    more: Callable[[Endpoint, Mapping[str, str], str], list[Variable]] = no_variables
    line: Callable[[Start], Line] = as_given
    obstacle: Callable[[Mapping[str, str], str], str] = no_obstacle

    def rival_of(self, name: str) -> Rival | None:
        """Give what a variable of the shell does against us, or None."""
        if any(lead.name == name for lead in self.leads):
            return None
        return next((each for each in self.rivals if each.pattern.fullmatch(name)), None)


def rivals_in(program: Program, environ: Mapping[str, str]) -> Sequence[tuple[str, Rival]]:
    """List what an environment has against a program's variables."""
    found = ((name, program.rival_of(name)) for name in sorted(environ))
    return [(name, each) for name, each in found if each is not None and each.acts(environ[name])]


# How curl, httpx, reqwest and others choose for http://; the lower case is asked first.
USUAL_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
# Node's and Bun's habit, seen with Claude Code 2.1: http:// addresses go to the https proxy too.
NODE_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
