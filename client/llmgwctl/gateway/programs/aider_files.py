"""What aider (0.86) finds in its files: settings in YAML, and .env files, which beat the shell."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from llmgwctl.gateway.programs.command_line import option
from llmgwctl.gateway.programs.folders import up_to_repository
from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmgwctl.gateway.programs.program import Start

_VARIABLE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$")
# A value on the key's own line: models are written so, and nothing else is asked of these files.
_SETTING = re.compile(r"([\w-]+):\s+(\S.*?)\s*(?:\s#.*)?$")


def settings(start: Start) -> Mapping[str, str]:
    """Give what the settings say, by the names of options: the file of the folder wins."""
    named = option(start.words, "--config", "-c")
    paths = [named] if named else _paths(start, ".aider.conf.yml")
    return _read(paths, _SETTING)


def variables(start: Start) -> Mapping[str, str]:
    """Give what the .env files set: it stands over the variables that aider is started with."""
    named = option(start.words, "--env-file")
    return _read([*_paths(start, ".env"), *([named] if named else [])], _VARIABLE)


def _paths(start: Start, name: str) -> list[str]:
    home = start.environ.get("HOME") or "~"
    passed, is_in_one = up_to_repository(start.folder)
    root = passed[-1:] if is_in_one else []
    return [os.path.join(folder, name) for folder in (home, *root, start.folder)]


def _read(paths: Sequence[str], line: re.Pattern[str]) -> Mapping[str, str]:
    found = {}
    for path in paths:
        try:
            text = regular_file.read_text(path)
        except OSError:
            continue
        pairs = (line.match(each) for each in text.splitlines())
        found.update({each[1]: each[2].strip("'\"") for each in pairs if each is not None})
    return found
