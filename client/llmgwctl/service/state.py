"""What this machine's service manager knows of the daemon, and why none answers.

`look` asks, each question with a short time-out; `explain`, `of_systemd` and `of_launchd` are pure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from llmgwctl.errors import NotRunning
from llmgwctl.rules.printable import clean
from llmgwctl.service.launchd_agent import LABEL
from llmgwctl.service.systemd_units import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

# A person waits for the answer, and it only explains an error.
_ASK_S = 1.5
# A container's init, and loginctl without its daemon, take their time to fail.
_LINGER_S = 10.0


class ServiceState(NamedTuple):
    """`manager` is "systemd", "launchd" or ""; from `pid` on only `Manager.state` knows."""

    manager: str = ""
    is_installed: bool = False
    is_enabled: bool = False
    has_failed: bool = False
    is_starting: bool = False
    result: str = ""  # "exit status 78", "signal": how it ended
    last_line: str = ""  # of its log, where it failed
    is_running: bool = False
    pid: int = 0
    holds_ports: bool = False
    program: str = ""
    listen: tuple[str, ...] = ()  # as in a status
    lines: tuple[str, ...] = ()  # for people


def explain(state: ServiceState) -> NotRunning:
    """Put it in one line: what is so, and what to type."""
    if not state.manager:
        return NotRunning(remedy="start it in a terminal: llmgwd")
    if not state.is_installed:
        return NotRunning(
            "llmgwd is not running, and it is not installed as a service",
            "install and start it: llmgwctl service install (or, in a terminal: llmgwd)",
        )
    start = _START[state.manager]
    said = f": {state.last_line}" if state.last_line else ""
    if state.has_failed:
        result = f" ({state.result})" if state.result else ""
        message = f"llmgwd is not running: its service failed{result}{said}"
        return NotRunning(message, f"start it again: {start}")
    if state.is_starting or state.is_running:
        return NotRunning("llmgwd is just being started", "wait for it: llmgwctl wait")
    if not state.is_enabled:
        return NotRunning(
            "llmgwd is not running: its service is installed, but not enabled",
            _ENABLE[state.manager],
        )
    return NotRunning("llmgwd is not running: its service is stopped", f"start it: {start}")


_START = {
    "systemd": "systemctl --user start llmgwd",
    "launchd": f"launchctl kickstart gui/$UID/{LABEL}",
}
_ENABLE = {
    "systemd": "start it now and at every login: systemctl --user enable --now llmgwd",
    "launchd": "start it now and at every login: llmgwctl service install",
}


def look(platform: str = sys.platform) -> ServiceState:
    """Ask systemd or launchd; where neither can be asked, say so."""
    if platform == "darwin":
        return _look_at_launchd()
    shown = _output(
        *("systemctl", "--user", "show", SERVICE),
        "--property=LoadState,ActiveState,UnitFileState,Result,ExecMainStatus",
    )
    return ServiceState() if shown is None else of_systemd(shown, _last_line)


def of_systemd(shown: str, last_line: object = "") -> ServiceState:
    """Read `systemctl show`; `last_line` (or a function that fetches it) only where it failed."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    state = values.get("ActiveState", "")
    # Between two tries of Restart= it counts as activating, with the last try's result.
    has_failed = state == "failed" or values.get("Result", "success") != "success"
    line = (last_line() if callable(last_line) else str(last_line)) if has_failed else ""
    result = values.get("Result", "") if has_failed else ""
    if result == "exit-code":
        result = f"exit status {values.get('ExecMainStatus', '?')}"
    return ServiceState(
        manager="systemd",
        is_installed=values.get("LoadState") not in ("not-found", None),
        is_enabled=values.get("UnitFileState", "").startswith(("enabled", "linked", "static")),
        has_failed=has_failed,
        is_starting=state == "activating" and not has_failed,
        result=result,
        last_line=clean(line),
        is_running=state in ("active", "reloading"),
        pid=int(values.get("MainPID") or 0),
    )


def of_launchd(has_plist: bool, shown: str | None, last_line: str = "") -> ServiceState:
    """Read `launchctl print`, which fails (None) for what is not loaded."""
    lines = [line.strip() for line in (shown or "").splitlines() if " = " in line]
    # The job's own values come before those of its parts.
    values = dict(line.split(" = ", 1) for line in reversed(lines))
    code = values.get("last exit code", "0").split(":")[0]
    has_failed = code.lstrip("-").isdigit() and int(code) != 0
    return ServiceState(
        manager="launchd",
        is_installed=has_plist or shown is not None,
        is_enabled=shown is not None,
        has_failed=has_failed,
        result=f"exit status {code}" if has_failed else "",
        last_line=clean(last_line) if has_failed else "",
        is_running=values.get("state") == "running",
        pid=int(values.get("pid", "0")),
    )


def lingers() -> bool | None:
    """Say whether this user's services outlive the sessions; None: not known, or no such thing."""
    import pwd

    if sys.platform == "darwin":
        return None
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
    answer = ask("loginctl", "show-user", user, "--property=Linger", "--value", within_s=_LINGER_S)
    if answer.returncode == 0 and answer.stdout.strip() in ("yes", "no"):
        return answer.stdout.strip() == "yes"
    # loginctl does not know a user without a session.
    if not os.path.isdir("/var/lib/systemd"):
        return None
    return os.path.exists(os.path.join("/var/lib/systemd/linger", user))


def ask(
    *command: str, within_s: float, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a service manager's program; 127: it is not there, 124: it gave no answer in time."""
    try:
        return subprocess.run(  # noqa: S603 - our own words
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
            env=None if environ is None else dict(environ),
        )
    except OSError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]}: not found")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]}: no answer")


def _look_at_launchd() -> ServiceState:
    path = os.path.expanduser(f"~/Library/LaunchAgents/{LABEL}.plist")
    shown = _output("launchctl", "print", f"gui/{os.getuid()}/{LABEL}")
    log = os.path.expanduser("~/Library/Logs/llmgw/llmgwd.log")
    return of_launchd(os.path.exists(path), shown, _tail(log))


def _last_line() -> str:
    shown = _output(
        *("journalctl", "--user", "--unit", SERVICE, "--lines", "1"),
        *("--output", "cat", "--no-pager", "--quiet", "_COMM=llmgwd"),
    )
    return (shown or "").strip()


def _tail(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - 4096, 0))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _output(*command: str) -> str | None:
    answer = ask(*command, within_s=_ASK_S)
    return answer.stdout if answer.returncode == 0 else None
