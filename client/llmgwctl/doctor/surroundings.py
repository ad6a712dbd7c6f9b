"""What programs started from this shell would find: variables, files, and what is installed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmgwctl.gateway import claude_settings
from llmgwctl.gateway.programs import aider_files, codex, opencode_files
from llmgwctl.gateway.programs.program import Endpoint, Start
from llmgwctl.gateway.programs.table import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmgwctl.gateway.claude_settings import SettingsFile


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`codex_config` is None where Codex has no configuration."""

    environ: Mapping[str, str] = field(repr=False)
    settings: Sequence[SettingsFile] = ()
    codex_config: Mapping[str, object] | None = None
    opencode_config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    aider_settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    installed: frozenset[str] = frozenset()


def look(environ: Mapping[str, str], folder: str) -> Surroundings:
    path = environ.get("PATH")
    installed = {
        program.name
        for program in PROGRAMS.values()
        if any(shutil.which(command, path=path) for command in program.commands)
    }
    return Surroundings(
        environ,
        claude_settings.read(environ, folder),
        codex.config(environ),
        opencode_files.held(environ, folder),
        aider_files.settings(Start(Endpoint(""), "", (), environ, folder)),
        installed=frozenset(installed),
    )
