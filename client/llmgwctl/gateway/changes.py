"""What `run` and `env` change for a program, each change with its sentence. Pure.

Three kinds: what leads to the forward is set, what beats that is taken away, and requests to the
forward are exempted from a proxy. A sentence never holds a key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from llmgwctl.gateway import proxies
from llmgwctl.gateway.address import leads_to
from llmgwctl.gateway.programs import claude
from llmgwctl.gateway.programs.program import Variable, rivals_in
from llmgwctl.rules.key_headers import KEY_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmgwctl.gateway.programs.program import Endpoint, Lead, Program


class Change(NamedTuple):
    """`value` None takes the variable away; `sentence` is empty where nothing of the person's
    changes.
    """

    name: str
    value: str | None
    sentence: str = ""
    is_secret: bool = False

    def __repr__(self) -> str:
        return f"Change({self.name!r}, sentence={self.sentence!r})"


class Wish(NamedTuple):
    """What the command line says. `keeps_key`: a key that is set stays; `custom_headers`: the key
    goes in a header of LiteLLM's own, and Claude Code keeps its login.
    """

    keeps_key: bool = False
    custom_headers: bool = False
    model: str = ""


def changes(
    programs: Sequence[Program], environ: Mapping[str, str], endpoint: Endpoint, wish: Wish
) -> list[Change]:
    """List what must change in `environ` for the programs to reach the endpoint."""
    found: dict[str, Change] = {}
    for program in programs:
        for change in _of_program(program, environ, endpoint, wish):
            found.setdefault(change.name, change)
    for name, value in proxies.exemptions(endpoint.url, environ).items():
        sentence = f"{name} now names this machine: requests to it go to no proxy"
        found[name] = Change(name, value, sentence)
    return list(found.values())


def applied(environ: Mapping[str, str], found: Sequence[Change]) -> dict[str, str]:
    """Give the environment as the changes leave it."""
    gone = {each.name for each in found}
    kept = {name: value for name, value in environ.items() if name not in gone}
    return kept | {each.name: each.value for each in found if each.value is not None}


def _of_program(
    program: Program, environ: Mapping[str, str], endpoint: Endpoint, wish: Wish
) -> Iterator[Change]:
    is_claude = program.name == claude.PROGRAM.name
    by_header = wish.custom_headers and is_claude
    keeps_key = wish.keeps_key and _has_key(program, environ)
    for lead in program.leads:
        if not lead.is_key:
            yield _address(lead, environ, endpoint)
        elif endpoint.key is not None and not keeps_key and not by_header:
            yield _key(lead, environ, endpoint)
    if is_claude and not keeps_key:
        yield from _headers(environ, endpoint.key if by_header else None)
    # Before what is taken away: of two changes of one name the first counts.
    for variable in program.more(endpoint, environ, wish.model):
        yield _more(variable, environ, wish.model)
    for name, rival in rivals_in(program, environ):
        if (rival.is_key and keeps_key) or by_header:
            continue
        yield Change(name, None, f"{name} is taken away: {rival.effect}")


def _has_key(program: Program, environ: Mapping[str, str]) -> bool:
    names = [lead.name for lead in program.leads if lead.is_key]
    names += [name for name, rival in rivals_in(program, environ) if rival.is_key]
    headers = environ.get(claude.HEADERS, "") if program.name == claude.PROGRAM.name else ""
    return any(environ.get(name) for name in names) or bool(claude.key_headers_in(headers))


def _address(lead: Lead, environ: Mapping[str, str], endpoint: Endpoint) -> Change:
    value, was = lead.value(endpoint), environ.get(lead.name, "")
    sentence = ""
    if was and not leads_to(was, value):
        sentence = f"{lead.name} is {value}, and was {shown(was)}"
    return Change(lead.name, value, sentence)


def _key(lead: Lead, environ: Mapping[str, str], endpoint: Endpoint) -> Change:
    value, was = lead.value(endpoint), environ.get(lead.name, "")
    sentence = ""
    if was and was != value:
        sentence = f"{lead.name} held another key, and is the gateway's (--keep-key keeps yours)"
    return Change(lead.name, value, sentence, is_secret=True)


def _headers(environ: Mapping[str, str], key: str | None) -> Iterator[Change]:
    """Take other keys out of Claude Code's headers, and put ours in where it is to travel so."""
    was = environ.get(claude.HEADERS, "")
    others = claude.key_headers_in(was)
    lines = claude.other_headers(was)
    if key is not None:
        lines.append(f"{KEY_HEADER}: Bearer {key}")
    value = "\n".join(lines)
    if value == was or (key is None and not others):
        return
    sentence = ""
    if others:
        verb = "is" if len(others) == 1 else "are"
        what = f"{', '.join(others)} {verb} taken out of {claude.HEADERS}"
        sentence = f"{what}: the gateway would take that key instead"
    yield Change(claude.HEADERS, value or None, sentence, is_secret=True)


def _more(variable: Variable, environ: Mapping[str, str], model: str) -> Change:
    was = environ.get(variable.name, "")
    sentence = variable.sentence
    if not variable.value:
        return Change(variable.name, None, f"{variable.name} is taken away: {_lacks(was)}")
    if variable.name.endswith("_MODEL") and was != variable.value:
        is_asked_for = bool(model) and variable.value.endswith(model)
        source = "as --model says" if is_asked_for else "from the gateway's list"
        sentence = f"{variable.name} is {variable.value}, {source}"
        if was:
            sentence += f", and was {was}" + ("" if is_asked_for else ", which it does not offer")
    return Change(variable.name, variable.value, sentence, variable.is_secret)


def _lacks(model: str) -> str:
    return f"the gateway does not offer {model}"


def shown(url: str) -> str:
    """Give a URL without the password that it may carry."""
    return re.sub(r"//[^/@]*@", "//…@", url)
