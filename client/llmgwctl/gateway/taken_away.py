"""Which variables `env --unset` takes away: those that lead to a port of this machine. Pure.

No daemon is asked, and a person's own keys stay: a key goes only where the same program's address
leads here, or where no address of the programs leads elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.gateway.address import is_local
from llmgwctl.gateway.changes import Change
from llmgwctl.gateway.claude_models import FAMILIES, MAIN
from llmgwctl.gateway.programs import aider, claude, gemini, opencode
from llmgwctl.gateway.programs.table import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llmgwctl.gateway.programs.program import Lead, Program


def taken_away(programs: Sequence[Program], environ: Mapping[str, str]) -> list[Change]:
    names = dict.fromkeys(
        name
        for program in programs
        for lead in program.leads
        if _leads_here(lead, environ)
        for name in (lead.name, *_beside(program, lead))
    )
    return [Change(name, None) for name in names if name in environ]


def _leads_here(lead: Lead, environ: Mapping[str, str]) -> bool:
    """Judge an address by itself, a key by the addresses of the programs that read it."""
    if not lead.is_key:
        return is_local(environ.get(lead.name, ""))
    sharing = [program for program in PROGRAMS.values() if lead in program.leads]
    addresses = _addresses(sharing) or _addresses(PROGRAMS.values())
    return any(is_local(environ.get(name, "")) for name in addresses)


def _addresses(programs: Iterable[Program]) -> list[str]:
    return [lead.name for program in programs for lead in program.leads if not lead.is_key]


def _beside(program: Program, lead: Lead) -> tuple[str, ...]:
    """Name what is set along with a program's address."""
    if lead.is_key:
        return ()
    if program.name == claude.PROGRAM.name:
        return (claude.HEADERS, MAIN, *FAMILIES.values())
    return _BESIDE.get(program.name, ())


_BESIDE = {
    opencode.PROGRAM.name: (opencode.CONTENT,),
    aider.PROGRAM.name: aider.MODELS,
    gemini.PROGRAM.name: ("GEMINI_MODEL",),
}
