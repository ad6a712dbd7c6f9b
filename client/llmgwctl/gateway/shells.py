"""How each shell wants a variable set: one quoting rule a dialect, no shell consulted.

A value may hold anything but NUL; what comes out, read by that shell, gives it back unchanged.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmgwctl.gateway.changes import Change


class Dialect(NamedTuple):
    """`removal` is None where a variable cannot be taken away in the dialect's words."""

    statement: Callable[[str, str], str]
    removal: str | None
    usage: str | None  # how to have the shell read it, as a comment; None where none is allowed


def _posix(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _nu(name: str, value: str) -> str:
    # Nu's double quotes take the escapes of JSON, save that it writes \u{7f} for \u007f.
    quoted = re.sub(r"\\u00(..)", r"\\u{\1}", json.dumps(value, ensure_ascii=False))
    return f"$env.{name} = {quoted}"


def _dotenv(name: str, value: str) -> str:
    """Quote as little as possible: readers of .env files agree on bare words only."""
    if re.fullmatch(r"[\w@%+=:,./-]+", value, re.ASCII):
        return f"{name}={value}"
    if not re.search(r"['\n\r]", value):
        return f"{name}='{value}'"
    escaped = re.sub(r'([\\"$`])', r"\\\1", value)
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r")
    return f'{name}="{escaped}"'


_DIALECTS: Mapping[str, Dialect] = {
    "bash": Dialect(_posix, "unset {name}", 'eval "$({command})"'),
    "zsh": Dialect(_posix, "unset {name}", 'eval "$({command})"'),
    "fish": Dialect(_fish, "set -e {name}", "{command} | source"),
    "nu": Dialect(_nu, "hide-env --ignore-errors {name}", "{json_command} | from json | load-env"),
    "dotenv": Dialect(_dotenv, None, None),
}
SHELLS = (*_DIALECTS, "json")


def default_shell(environ: Mapping[str, str]) -> str:
    """Choose by $SHELL; sh, dash, ksh and what we do not know read bash's `export` as well."""
    name = environ.get("SHELL", "").rpartition("/")[2]
    return name if name in ("zsh", "fish", "nu") else "bash"


def render(
    changes: Sequence[Change], shell: str, *, notes: Sequence[str] = (), command: str = ""
) -> str:
    """Give the text to print; `command` is what was asked, for the line that says how to use it.

    What is to be taken away is left out of JSON and of dotenv, which cannot say it.
    """
    if shell == "json":
        values = {each.name: each.value for each in changes if each.value is not None}
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    dialect = _DIALECTS[shell]
    lines = [text for each in changes if (text := _line(each, dialect)) is not None]
    lines += [f"# {note}" for note in notes]
    if dialect.usage is not None and command:
        json_command = re.sub(r" --shell[ =]\S+", "", command) + " --shell json"
        lines.append(f"# {dialect.usage.format(command=command, json_command=json_command)}")
    return "\n".join(lines) + "\n"


def _line(change: Change, dialect: Dialect) -> str | None:
    if change.value is not None:
        return dialect.statement(change.name, change.value)
    return None if dialect.removal is None else dialect.removal.format(name=change.name)


def direnv_line(command: str) -> str:
    """Give the line for an .envrc: direnv runs bash, whatever the person's own shell is."""
    return f'eval "$({command} --shell bash)"'
