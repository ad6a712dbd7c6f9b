"""Programs the daemon will start (logins, the key's command), looked at for one thing: setuid.

Under NoNewPrivileges the kernel ignores the bit, and such a program fails in ways nobody explains.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# kubeconfig is YAML, which the standard library does not read; the one key is always on one line.
_COMMAND = re.compile(r"^\s*(?:-\s+)?\"?command\"?:\s*[\"']?([^\"'\s#,}]+)", re.MULTILINE)


def setuid_programs(environ: Mapping[str, str], config_path: str, search_path: str) -> list[str]:
    """Name the set-id programs among those that kubeconfig and configuration call directly."""
    called = dict.fromkeys([*_of_kubeconfigs(environ), *_of_configuration(config_path)])
    return [program for program in called if _is_setuid(program, search_path)]


def commands_in(kubeconfig: str) -> list[str]:
    return _COMMAND.findall(kubeconfig)


def _of_kubeconfigs(environ: Mapping[str, str]) -> Iterator[str]:
    default = os.path.join(environ.get("HOME", ""), ".kube", "config")
    for path in (environ.get("KUBECONFIG") or default).split(os.pathsep):
        yield from commands_in(_text(path))


def _of_configuration(path: str) -> Iterable[str]:
    try:
        command = tomllib.loads(_text(path))["gateway"]["key"]["command"]
    except (tomllib.TOMLDecodeError, LookupError, TypeError):
        return []
    return [word for word in command[:1] if isinstance(word, str)]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _is_setuid(program: str, search_path: str) -> bool:
    path = shutil.which(program, path=search_path)
    try:
        return path is not None and bool(os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID))
    except OSError:
        return False
