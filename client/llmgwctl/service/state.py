"""Why no daemon answers, as this machine's service manager tells it, and how to start it.

`look` asks, each question with a short time-out; `explain` is pure.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from llmgwctl.errors import NotRunning
from llmgwctl.show.terminal import clean

UNIT = "llmgwd.service"
LABEL = "dev.llmgw.llmgwd"
_ASK_S = 1.5


class Facts(NamedTuple):
    """What the service manager knows of the daemon; `manager` is "systemd", "launchd" or ""."""

    manager: str = ""
    is_installed: bool = False
    is_enabled: bool = False
    has_failed: bool = False
    is_starting: bool = False
    result: str = ""  # "exit-code", "signal", "exit status 78": how it ended
    last_line: str = ""


def explain(facts: Facts) -> NotRunning:
    """Put it in one line: what is so, and what to type."""
    if not facts.manager:
        return NotRunning(remedy="start it in a terminal: llmgwd")
    if not facts.is_installed:
        return NotRunning(
            "llmgwd is not running, and it is not installed as a service",
            "install and start it: llmgwctl service install (or, in a terminal: llmgwd)",
        )
    start = _START[facts.manager]
    said = f": {facts.last_line}" if facts.last_line else ""
    if facts.has_failed:
        result = f" ({facts.result})" if facts.result else ""
        message = f"llmgwd is not running: its service failed{result}{said}"
        return NotRunning(message, f"start it again: {start}")
    if facts.is_starting:
        return NotRunning("llmgwd is just being started", "wait for it: llmgwctl wait")
    if not facts.is_enabled:
        return NotRunning(
            "llmgwd is not running: its service is installed, but not enabled",
            _ENABLE[facts.manager],
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


def look(platform: str = sys.platform) -> Facts:
    """Ask systemd or launchd; where neither is to be asked, say so."""
    if platform == "darwin":
        return _look_at_launchd()
    shown = _ask(
        *("systemctl", "--user", "show", UNIT),
        "--property=LoadState,ActiveState,UnitFileState,Result,ExecMainStatus",
    )
    return Facts() if shown is None else of_systemd(shown, _last_line)


def of_systemd(shown: str, last_line: object = "") -> Facts:
    """Read `systemctl show`; `last_line` (or a function that fetches it) only where it failed."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    state = values.get("ActiveState", "")
    # Between two tries of Restart= it counts as activating, with the last try's result.
    has_failed = state == "failed" or values.get("Result", "success") != "success"
    line = (last_line() if callable(last_line) else str(last_line)) if has_failed else ""
    result = values.get("Result", "") if has_failed else ""
    if result == "exit-code":
        result = f"exit status {values.get('ExecMainStatus', '?')}"
    return Facts(
        manager="systemd",
        is_installed=values.get("LoadState") not in ("not-found", None),
        is_enabled=values.get("UnitFileState", "").startswith(("enabled", "linked", "static")),
        has_failed=has_failed,
        is_starting=state in ("activating", "active", "reloading") and not has_failed,
        result=result,
        last_line=clean(line),
    )


def _last_line() -> str:
    shown = _ask(
        *("journalctl", "--user", "--unit", UNIT, "--lines", "1"),
        *("--output", "cat", "--no-pager", "--quiet", "_COMM=llmgwd"),
    )
    return (shown or "").strip()


def _look_at_launchd() -> Facts:
    path = os.path.expanduser(f"~/Library/LaunchAgents/{LABEL}.plist")
    shown = _ask("launchctl", "print", f"gui/{os.getuid()}/{LABEL}")
    log = os.path.expanduser("~/Library/Logs/llmgw/llmgwd.log")
    return of_launchd(os.path.exists(path), shown, _tail(log))


def of_launchd(has_plist: bool, shown: str | None, last_line: str = "") -> Facts:
    """Read `launchctl print`, which fails (None) for what is not loaded."""
    values = dict(
        line.strip().split(" = ", 1) for line in (shown or "").splitlines() if " = " in line
    )
    code = values.get("last exit code", "0").split(":")[0]
    has_failed = code.lstrip("-").isdigit() and int(code) != 0
    return Facts(
        manager="launchd",
        is_installed=has_plist or shown is not None,
        is_enabled=shown is not None,
        has_failed=has_failed,
        is_starting=values.get("state") == "running",
        result=f"exit status {code}" if has_failed else "",
        last_line=clean(last_line) if has_failed else "",
    )


def _tail(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - 4096, 0))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _ask(*command: str) -> str | None:
    """Give a command's output, or None where it is missing, fails or takes long."""
    import subprocess

    try:
        done = subprocess.run(  # noqa: S603 - constant words
            command, capture_output=True, text=True, timeout=_ASK_S, check=True, errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
