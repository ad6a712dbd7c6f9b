"""`llmgwd doctor`: the doctor's checks without a running daemon; the very same ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from llmgwctl.doctor.report import exit_status, line
from llmgwctl.rules.nearest import by_likeness
from llmgwctl.show.terminal import detect
from llmgwctl.wire import CheckState, CheckStatus, Exit
from llmgwd.doctor.checks import of_config
from llmgwd.doctor.doctor import diagnose
from llmgwd.errors import ConfigError
from llmgwd.telemetry import log

if TYPE_CHECKING:
    from llmgwd.config.model import Config
    from llmgwd.doctor.context import Request


def run(read: Callable[[], Config], request: Request, only: str | None, *, as_json: bool) -> int:
    """Print each check as soon as it is known; the exit status is of the worst."""
    # The report is all that is to be said, and stdout is its own.
    log.configure("error", "console", None)

    terminal = detect(sys.stdout.isatty())

    def tell(check: CheckStatus) -> None:
        print(json.dumps(check) if as_json else line(check, terminal), flush=True)

    try:
        config = read()
    except ConfigError as error:
        check = of_config(CheckState.NEEDS_PERSON, error.message, error.remedy)
        tell(check)
        return exit_status([check])
    found = f"{config.path}{'' if config.is_present else ' is not there: the defaults hold'}"
    tell(of_config(CheckState.OK, found))
    known = [forward.name for forward in config.forwards]
    if only is not None and only not in known:
        remedy = f"there is {', '.join(by_likeness(only, known)) or 'none'}"
        check = of_config(CheckState.FAILED, f"there is no forward {only}", remedy)
        tell(check)
        return exit_status([check])
    try:
        return exit_status(anyio.run(_examine, config, request, only, tell))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


async def _examine(
    config: Config, request: Request, only: str | None, tell: Callable[[CheckStatus], None]
) -> list[CheckStatus]:
    checks = []
    async for check in diagnose(config, request, {}, only):
        tell(check)
        checks.append(check)
    return checks
