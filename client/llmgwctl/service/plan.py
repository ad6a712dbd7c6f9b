"""What an installation of the service consists of, decided before anything is written."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import llmgwctl
from llmgwctl.errors import ClientError, UsageError
from llmgwctl.service import installation
from llmgwctl.service.environment import capture, setuid_programs
from llmgwctl.service.manager import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmgwctl.service.state import ServiceState


_CHECK_S: Final = 30.0


class Plan(NamedTuple):
    """`doubts` are sentences that a person should read before the service is written."""

    wanted: Wanted
    kind: str
    doubts: tuple[str, ...]

    def is_current(self, socket: str | None) -> bool:
        """Say whether the daemon that runs, if one does, is the installed version."""
        from llmgwctl.api.client import Client
        from llmgwctl.rules.timestamps import seconds_of

        try:
            status = Client(socket).status()
        except ClientError:
            return False
        # The same version can have been installed again, from a branch for example.
        installed_at = os.stat(llmgwctl.__file__).st_mtime
        started_at = seconds_of(status["started_at"]) or 0.0
        return status["version"] == llmgwctl.__version__ and installed_at < started_at


def plan(environ: Mapping[str, str], has_setuid_plugins: bool) -> Plan:
    """Look at this installation, this shell and the configuration.

    Raises:
        ClientError: llmgwd is not there, or its configuration holds a mistake.
    """
    found = installation.find(environ=environ)
    captured = capture(environ, os.getcwd())
    configuration = configured(found.llmgwd, environ)
    setuid = setuid_programs(environ, configuration.path, captured.variables["PATH"])
    doubts = [
        *_of_installation(found),
        *_of_environment(captured.withheld, configuration.key_variable),
        *(
            f"{program} is setuid: the unit is written without NoNewPrivileges"
            for program in setuid
        ),
    ]
    wanted = Wanted(
        llmgwd=found.llmgwd,
        llmgwctl=found.llmgwctl,
        environment=captured.variables,
        listen=tuple(address for address in configuration.listen if is_possible(address)),
        has_setuid_plugins=has_setuid_plugins or bool(setuid),
    )
    return Plan(wanted, found.kind, tuple(doubts))


class Configured(NamedTuple):
    """`listen` as a status has it; `key_variable`: the key is to come from this variable."""

    path: str
    listen: tuple[str, ...]
    key_variable: str | None


def configured(llmgwd: str, environ: Mapping[str, str]) -> Configured:
    """Have llmgwd read its configuration: the client does not, so that the two cannot disagree.

    Raises:
        UsageError: the configuration holds a mistake, in the daemon's words.
        ClientError: llmgwd cannot be run.
    """
    command = [llmgwd, "check", "--json"]
    try:
        answer = subprocess.run(  # noqa: S603 - the daemon of this installation
            command,
            capture_output=True,
            text=True,
            timeout=_CHECK_S,
            check=False,
            env=dict(environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClientError("llmgwd-broken", f"{llmgwd} cannot be run: {error}") from error
    if answer.returncode != 0:
        raise UsageError(answer.stderr.strip().removeprefix("llmgwd: ") or "llmgwd gave no reason")
    return _read(json.loads(answer.stdout))


def _read(found: Any) -> Configured:
    addresses = [address for forward in found["forwards"] for address in forward["listen"]]
    return Configured(found["path"], tuple(dict.fromkeys(addresses)), found.get("key_env"))


def drift(state: ServiceState, environ: Mapping[str, str]) -> list[str]:
    """Name each difference between the installed service and what would be installed now."""
    try:
        made = plan(environ, has_setuid_plugins=False)
    except ClientError as error:
        return [f"differs    {error.text()}"]
    lines = []
    if made.wanted.llmgwd not in state.program:
        lines.append(
            f"differs    it runs {state.program}, and this llmgwctl has {made.wanted.llmgwd}"
        )
    if set(made.wanted.listen) != set(state.listen):
        lines.append(f"differs    the configuration wants {', '.join(made.wanted.listen)}")
    return [*lines, "           bring it up to date: llmgwctl service install"] if lines else []


def is_possible(address: str) -> bool:
    """Say whether this machine can bind such an address: without IPv6 there is no [::1]."""
    if not address.startswith("["):
        return True
    import socket

    host = address.rpartition(":")[0].strip("[]")
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _of_installation(found: installation.Installation) -> list[str]:
    if not found.doubt:
        return []
    return [
        f"{found.llmgwd} may not last: {found.doubt}; the service will fail then "
        "(a lasting way: pipx install llmgw)"
    ]


def _of_environment(withheld: tuple[str, ...], key_variable: str | None) -> list[str]:
    own = "write it yourself, NAME=value, in the file llmgw/environment of the configuration folder"
    doubts = []
    if withheld:
        names = ", ".join(withheld)
        doubts.append(
            f"left out of the unit, for it may hold a secret or a line's end: {names}; {own}"
        )
    if key_variable:
        doubts.append(
            f"the gateway's key is to come from {key_variable}, unknown to a service; {own}"
        )
    return doubts
