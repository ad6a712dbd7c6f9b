"""Which of a gateway's models Claude Code asks for, and which it should be led to. Pure.

Claude Code names models by family (opus, sonnet, haiku); for each family a variable gives the
full name. Its own default is of the family opus or sonnet, by release and account, so a gateway
must offer both or be named a main model.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmgwctl.rules.models import is_offered, newest_first, without_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAIN = "ANTHROPIC_MODEL"
# The best first: the main model is of the first that is offered.
FAMILIES = {
    "opus": "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "sonnet": "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "fable": "ANTHROPIC_DEFAULT_FABLE_MODEL",
    "haiku": "ANTHROPIC_DEFAULT_HAIKU_MODEL",
}
_DEFAULTS = ("opus", "sonnet")
# Each wins over a family's where it is set: an older release's for haiku, and that of subagents.
_OTHERS = ("ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL")
NAMES = (MAIN, *FAMILIES.values(), *_OTHERS)
# Words of Claude Code's own that mean: choose by yourself.
_ANY = ("default", "best", "inherit", "opusplan")


def defaults(offered: Sequence[str], environ: Mapping[str, str], model: str = "") -> dict[str, str]:
    """Choose the variables of Claude Code's models: for each family offered, its newest.

    What the shell names already and the gateway offers stays; another name of a family gives way
    to that family's newest, or to none ("") where the variable is better not set. A gateway that
    takes every name needs none, and where no Claude is offered nothing is guessed.
    """
    chosen = {MAIN: model} if model else {}
    if not offered or is_offered("claude", offered):
        return chosen
    families = by_family(offered)
    if not families:
        return chosen
    for family, variable in FAMILIES.items():
        if family in families and not _stays(environ.get(variable, ""), offered):
            chosen[variable] = families[family]
    for variable in _OTHERS:
        name = environ.get(variable, "")
        if name and not _serves(name, offered, families):
            chosen[variable] = families.get(family_of(name), "")
    if not model and not _serves(environ.get(MAIN, ""), offered, families):
        best = next(families[family] for family in FAMILIES if family in families)
        chosen[MAIN] = families.get(family_of(environ.get(MAIN, "")), best)
    return chosen


def _stays(name: str, offered: Sequence[str]) -> bool:
    return bool(name) and is_offered(name, offered)


def _serves(name: str, offered: Sequence[str], families: Mapping[str, str]) -> bool:
    """Say whether a model's name, an alias of Claude Code's, or its own choice is offered."""
    bare = without_suffix(name)
    if not bare or bare in _ANY:
        return all(family in families for family in _DEFAULTS)
    return bare in families or is_offered(bare, offered)


def by_family(offered: Iterable[str]) -> dict[str, str]:
    """Give the newest offered model of each family; of equal ones the shortest name."""
    found: dict[str, list[str]] = {}
    for name in offered:
        family = family_of(name)
        if family and "*" not in name and not name.endswith("]"):
            found.setdefault(family, []).append(name)
    return {family: min(names, key=newest_first) for family, names in found.items()}


def family_of(name: str) -> str:
    """Give the family of a Claude's name, or "" for what is none."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    if "claude" not in words and name not in FAMILIES:
        return ""
    return next((family for family in FAMILIES if family in words), "")


def asked_for(environ: Mapping[str, str]) -> list[str]:
    """List the models that Claude Code will ask a gateway for, aliases resolved, in its order.

    An alias whose family has no variable is left out: its name is Claude Code's own.
    """
    named = []
    for variable in NAMES:
        name = without_suffix(environ.get(variable, ""))
        if name == "opusplan":
            named += [environ.get(FAMILIES["opus"], ""), environ.get(FAMILIES["sonnet"], "")]
        elif name in FAMILIES:
            named.append(environ.get(FAMILIES[name], ""))
        elif name not in _ANY:
            named.append(name)
    return list(dict.fromkeys(without_suffix(name) for name in named if name))
