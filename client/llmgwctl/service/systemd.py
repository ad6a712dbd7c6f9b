"""llmgwd as a service of the user's systemd, controlled with systemctl."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Final

from llmgwctl.errors import ClientError
from llmgwctl.service.state import ServiceState, ask, lingers, of_systemd
from llmgwctl.service.systemd_units import SERVICE, SOCKET, service_unit, socket_unit, values
from llmgwctl.service.unit_files import File, installed, refuse_foreign, remove, template, write

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

    from llmgwctl.service.manager import Wanted

# Above the unit's own start and stop limits, so that systemd reports first what is wrong.
_TIMEOUT_S: Final = 120.0

# The socket first: while it listens, a start of the service refuses no connection.
_UNITS: Final = (SOCKET, SERVICE)

_SHOWN: Final = (
    "LoadState,ActiveState,SubState,Result,ExecMainStatus,StatusText,MainPID,NRestarts,"
    "UnitFileState,FragmentPath,ActiveEnterTimestamp,NeedDaemonReload"
)

# The newest systemd that knows every directive: for files that are only printed.
_NEWEST: Final = 999


class Systemd:
    """Implements `manager.Manager`."""

    name = "systemd"

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = dict(environ)
        if not self._environ.get("XDG_RUNTIME_DIR") and os.path.isdir(f"/run/user/{os.getuid()}"):
            # sudo, cron and some ssh servers drop it.
            self._environ["XDG_RUNTIME_DIR"] = f"/run/user/{os.getuid()}"
        self._folder = ""

    def absence(self) -> str:
        """Say why there is no systemd for this user; empty where there is one."""
        if shutil.which("systemctl") is None:
            return "this machine has no systemd"
        if self._ask("show", "--property=Version").returncode != 0:
            return "systemd runs no manager for this user here (a container, or su without a login)"
        return ""

    @property
    def folder(self) -> str:
        """The user's own unit folder, as the manager sees it: its environment may differ."""
        if not self._folder:
            config = self._environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
            usual = os.path.join(config, "systemd", "user")
            searched = self._ask("show", "--property=UnitPath", "--value").stdout.split()
            own = [path for path in searched if is_own_folder(path)]
            self._folder = usual if usual in searched or not own else own[0]
        return self._folder

    def files(self, wanted: Wanted) -> list[File]:
        service = service_unit(template("systemd", SERVICE), wanted, self._version())
        return [
            File(
                os.path.join(self.folder, SOCKET), socket_unit(template("systemd", SOCKET), wanted)
            ),
            File(os.path.join(self.folder, SERVICE), service),
        ]

    def install(self, wanted: Wanted, is_current: bool) -> list[str]:
        files = self.files(wanted)
        refuse_foreign(files)
        moved = self._is_active(SOCKET) and set(self._listening()) != set(wanted.listen)
        if moved:
            # systemd binds a socket unit's addresses only when it starts.
            self._do("stop", *_UNITS)
        changed = [file.path for file in files if write(file)]
        if changed:
            self._do("daemon-reload")
        self._do("enable", *_UNITS)
        did = [f"wrote {path}" for path in changed] or ["the units were up to date"]
        return [*did, "enabled at login", self._bring_up(bool(changed) or not is_current)]

    def uninstall(self) -> list[str]:
        paths = [os.path.join(self.folder, unit) for unit in _UNITS]
        refuse_foreign([File(path, "") for path in paths])
        if not any(os.path.lexists(path) for path in paths):
            return ["there was no unit to remove"]
        self._do("disable", "--now", *_UNITS)
        did = [f"removed {path}" for path in paths if remove(path)]
        self._do("daemon-reload")
        # A unit that had failed would stay in the list without its file.
        self._ask("reset-failed", *_UNITS)
        return ["stopped and disabled", *did]

    def start(self) -> None:
        self._must_be_installed()
        if not self._is_active(SOCKET) and self._is_active(SERVICE):
            # It runs on ports that it bound itself, which systemd cannot take over.
            self._do("stop", SERVICE)
        self._do("start", *_UNITS)

    def stop(self) -> None:
        self._must_be_installed()
        self._do("stop", *_UNITS)

    def restart(self) -> None:
        self._must_be_installed()
        if self._is_active(SOCKET):
            self._do("restart", SERVICE)
        else:
            self.start()

    def state(self) -> ServiceState:
        shown = self._ask("show", SERVICE, f"--property={_SHOWN}").stdout
        found = of_systemd(shown)
        service = _values(shown)
        path = service.get("FragmentPath", "")
        if not path:
            return found._replace(is_installed=False)
        command = (values(installed(path), "ExecStart") or [""])[0]
        return found._replace(
            holds_ports=self._is_active(SOCKET),
            program=command,
            listen=tuple(self._listening()),
            lines=(*_service_lines(service), *self._socket_lines(), *_linger_lines()),
        )

    def log_command(self, lines: int, follow: bool) -> Sequence[str]:
        more = ["--follow"] if follow else ["--no-pager"]
        # Not --user: that reads the user's own journal, which does not exist where it is volatile.
        return ["journalctl", f"--user-unit={SERVICE}", f"--lines={lines}", *more]

    def _bring_up(self, is_new: bool) -> str:
        """Start what does not run, and restart an old version; the socket stays open."""
        was_running = self._is_active(SERVICE) and self._is_active(SOCKET)
        self.start()
        if not was_running:
            return "started"
        if not is_new:
            return "left running: it is this version already"
        self._do("restart", SERVICE)
        return "restarted, its ports kept open all the while"

    def _must_be_installed(self) -> None:
        if self._properties(SERVICE, "LoadState").get("LoadState") != "loaded":
            raise ClientError(
                "not-installed",
                "llmgwd is not installed as a service here",
                "llmgwctl service install",
            )

    def _is_active(self, unit: str) -> bool:
        state = self._properties(unit, "ActiveState").get("ActiveState")
        return state in ("active", "reloading", "activating")

    def _listening(self) -> list[str]:
        """Give the addresses of the socket unit, written as in a status."""
        answer = self._ask("show", SOCKET, "--property=Listen", "--value").stdout
        return re.findall(r"(\S+) \(Stream\)", answer)

    def _socket_lines(self) -> list[str]:
        socket = self._properties(SOCKET, "ActiveState,SubState,Result")
        addresses = ", ".join(self._listening()) or "no address"
        if socket.get("ActiveState") == "active":
            return [f"ports      {addresses}, held by systemd"]
        result = f" ({socket['Result']})" if socket.get("Result", "success") != "success" else ""
        return [f"ports      {addresses}, not held: {SOCKET} is {socket.get('SubState')}{result}"]

    def _version(self) -> int:
        found = re.search(r"Version=v?(\d+)", self._ask("show", "--property=Version").stdout)
        return int(found[1]) if found else _NEWEST

    def _properties(self, unit: str, names: str) -> dict[str, str]:
        return _values(self._ask("show", unit, f"--property={names}").stdout)

    def _do(self, *words: str) -> None:
        answer = self._ask("--quiet", *words)
        if answer.returncode != 0:
            raise ClientError(
                "service-failed",
                f"systemctl --user {' '.join(words)} failed: {_first_line(answer.stderr)}",
                "see: llmgwctl service status, llmgwctl service logs",
            )

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ("systemctl", "--user", "--no-pager", *words)
        return ask(*command, within_s=_TIMEOUT_S, environ=self._environ)


def is_own_folder(path: str) -> bool:
    """Recognise the folder of the user's own units, among those of programs and the system."""
    home = os.path.expanduser("~")
    return path.startswith(f"{home}/") and path.endswith("/systemd/user") and "/.local/" not in path


def _values(shown: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in shown.splitlines())
    return {name: value for name, _, value in pairs}


def _linger_lines() -> list[str]:
    is_lingering = lingers()
    if is_lingering is None:
        return []
    if is_lingering:
        return ["lingering  on: it runs from boot on, logged in or not"]
    return [
        "lingering  off: it runs while you are logged in; from boot on with: loginctl enable-linger"
    ]


def _service_lines(service: Mapping[str, str]) -> list[str]:
    state = f"{service.get('ActiveState')} ({service.get('SubState')})"
    if service.get("Result", "success") != "success":
        state += f", last ended by {service['Result']}"
    lines = [f"service    {state}, {service.get('UnitFileState') or 'not enabled'}"]
    if service.get("MainPID", "0") != "0":
        lines.append(f"process    {service['MainPID']}, since {service['ActiveEnterTimestamp']}")
    if service.get("NRestarts", "0") != "0":
        lines.append(f"restarts   {service['NRestarts']} by systemd")
    if service.get("StatusText"):
        lines.append(f"reports    {service['StatusText']}")
    if service.get("NeedDaemonReload") == "yes":
        lines.append("changed    the unit on disk is newer: systemctl --user daemon-reload")
    return lines


def _first_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[0] if lines else "it gave no reason"
