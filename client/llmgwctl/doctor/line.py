"""One line of the doctor about this shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.wire import CheckStatus

if TYPE_CHECKING:
    from llmgwctl.wire import CheckState


def shell_line(state: CheckState, found: str, cause: str = "", remedy: str = "") -> CheckStatus:
    return CheckStatus(
        check="shell",
        forward=None,
        state=state,
        found=found,
        cause=cause,
        remedy=remedy,
        skipped_by=None,
        took_s=None,
    )
