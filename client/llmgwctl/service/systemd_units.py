"""The systemd units of one installation, made from the files in systemd/. Pure.

The files are not templates but valid units: they are edited directive by directive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.service.manager import Wanted

SERVICE: Final = "llmgwd.service"
SOCKET: Final = "llmgwd.socket"

# An older systemd warns of directives that it does not know.
_SINCE: Final = {"RestartSteps": 254, "RestartMaxDelaySec": 254}

# What a user manager can only do with NoNewPrivileges, and that itself.
_NEEDS_NO_NEW_PRIVILEGES: Final = (
    "NoNewPrivileges",
    "RestrictSUIDSGID",
    "LockPersonality",
    "RestrictRealtime",
    "RestrictAddressFamilies",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallErrorNumber",
)


def service_unit(template: str, wanted: Wanted, systemd_version: int) -> str:
    """Write llmgwd.service for this installation and this systemd."""
    # PATH stands in the file for an example; what else does is the unit's own.
    own = [each for each in values(template, "Environment") if not each.startswith("PATH=")]
    lines = [
        f"{_quoted_word(f'{name}={value}')}" for name, value in sorted(wanted.environment.items())
    ] + own
    text = _set(template, "ExecStart", [_command(wanted.llmgwd)])
    text = _set(text, "ExecReload", [_command(wanted.llmgwctl, "reload")])
    text = _set(text, "Environment", lines)
    for key in (key for key, since in _SINCE.items() if systemd_version < since):
        text = _set(text, key, [])
    if wanted.has_setuid_plugins:
        for key in _NEEDS_NO_NEW_PRIVILEGES:
            text = _set(text, key, [])
    return text


def socket_unit(template: str, wanted: Wanted) -> str:
    return _set(template, "ListenStream", list(wanted.listen))


def values(text: str, key: str) -> list[str]:
    """Give the values a unit assigns to a directive, in their order."""
    prefix = f"{key}="
    return [line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)]


def _set(text: str, key: str, new: Sequence[str]) -> str:
    """Replace the first of the old assignments with these, and remove the others."""
    prefix = f"{key}="
    result: list[str] = []
    is_set = False
    for line in text.splitlines():
        if not line.startswith(prefix):
            result.append(line)
        elif not is_set:
            result += [f"{prefix}{value}" for value in new]
            is_set = True
    if not is_set:
        raise ValueError(f"the unit has no {key}")
    return "\n".join(result) + "\n"


def _command(path: str, *arguments: str) -> str:
    # systemd.service(5): $ begins a variable in a command line, but not elsewhere.
    words = [_quoted_word(path.replace("$", "$$")), *arguments]
    return " ".join(words)


def _quoted_word(text: str) -> str:
    """Quote as systemd.syntax(7) has it; % begins a specifier everywhere."""
    text = text.replace("%", "%%")
    if not any(character in text for character in " \t'\"\\"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
