"""All programs, by name and by the command that starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.gateway.programs import (
    aider,
    avante,
    claude,
    codex,
    gemini,
    litellm,
    openai,
    opencode,
)

if TYPE_CHECKING:
    from llmgwctl.gateway.programs.program import Program

PROGRAMS: dict[str, Program] = {
    module.PROGRAM.name: module.PROGRAM
    for module in (claude, openai, codex, opencode, aider, avante, gemini, litellm)
}
ALL = "all"
CHOICES = (*PROGRAMS, ALL)
# What a shell is given for whatever is started from it; the others are set where asked for.
_COMMON = ("claude", "openai", "avante")


def chosen(name: str) -> tuple[Program, ...]:
    """Give the programs of a choice of `--for`."""
    return tuple(PROGRAMS[each] for each in (_COMMON if name == ALL else (name,)))


def of_command(command: str) -> str:
    """Give the choice that a command's name stands for."""
    bare = command.rpartition("/")[2]
    return next((each.name for each in PROGRAMS.values() if bare in each.commands), ALL)
