"""The doctor's check of this machine: does llmgwd start by itself, and stay?"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmgwctl.wire import CheckState, CheckStatus

if TYPE_CHECKING:
    from llmgwctl.service.state import Facts

_ASK_S = 1.5


def check_service(facts: Facts, lingers: bool | None) -> CheckStatus:
    """Judge what the service manager knows; `lingers` None: not told, or no such thing. Pure."""
    if not facts.manager:
        return _line(CheckState.INFO, "no systemd and no launchd: llmgwd is started by hand")
    if not facts.is_installed:
        found = "not installed: llmgwd does not come with the login"
        return _line(CheckState.WARNING, found, "", "llmgwctl service install")
    if facts.has_failed:
        cause = f"{facts.result}: {facts.last_line}".strip(": ")
        return _line(CheckState.FAILED, "the service failed", cause, "llmgwctl service logs")
    if not facts.is_enabled:
        found = "installed, but not enabled: it does not start at login"
        return _line(CheckState.WARNING, found, "", "llmgwctl service install")
    if lingers is False:
        # Fine on a desktop, and the reason why a server's forward ends with the ssh session.
        found = "installed and enabled; it ends with the last session of this user"
        return _line(CheckState.INFO, found, "", "to have it stay: loginctl enable-linger")
    stays = ", stays after logout" if lingers else ""
    return _line(CheckState.OK, f"{facts.manager}: installed and enabled{stays}")


def lingers() -> bool | None:
    """Ask systemd whether this user's services outlive the sessions."""
    import subprocess

    if sys.platform == "darwin":
        return None
    command = ("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    try:
        done = subprocess.run(  # noqa: S603 - constant words
            command, capture_output=True, text=True, timeout=_ASK_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())


def _line(state: CheckState, found: str, cause: str = "", remedy: str = "") -> CheckStatus:
    return CheckStatus(
        check="service",
        forward=None,
        state=state,
        found=found,
        cause=cause,
        remedy=remedy,
        skipped_by=None,
        took_s=None,
    )
