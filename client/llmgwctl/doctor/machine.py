"""The doctor's check of the service manager: does llmgwd start at login, and stay?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.wire import CheckState, CheckStatus

if TYPE_CHECKING:
    from llmgwctl.service.state import ServiceState


def check_service(state: ServiceState, lingers: bool | None) -> CheckStatus:
    """Judge what the service manager knows; `lingers` None: not known, or no such thing. Pure."""
    if not state.manager:
        return _line(CheckState.INFO, "no systemd and no launchd: llmgwd is started by hand")
    if not state.is_installed:
        found = "not installed: llmgwd does not start at login"
        return _line(CheckState.WARNING, found, "", "llmgwctl service install")
    if state.has_failed:
        cause = f"{state.result}: {state.last_line}".strip(": ")
        return _line(CheckState.FAILED, "the service failed", cause, "llmgwctl service logs")
    if not state.is_enabled:
        found = "installed, but not enabled: it does not start at login"
        return _line(CheckState.WARNING, found, "", "llmgwctl service install")
    if lingers is False:
        # Right on a desktop; on a server the forward would end with the ssh session.
        found = "installed and enabled; it ends with the last session of this user"
        return _line(CheckState.INFO, found, "", "to keep it running: loginctl enable-linger")
    stays = ", stays after logout" if lingers else ""
    return _line(CheckState.OK, f"{state.manager}: installed and enabled{stays}")


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
