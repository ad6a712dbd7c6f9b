"""The route to the doctor: each check as a line, as soon as it is known."""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import anyio.to_thread

from llmgwctl.wire import ApiPath, CheckState, CheckStatus
from llmgwd.control.endpoint import JSON_LINES, Call, Endpoint, Lines, Parameter
from llmgwd.forwards.config_in_force import CORRECT_IT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmgwctl.wire import ConfigStatus
    from llmgwd.control.daemon import Daemon


async def _doctor(daemon: Daemon, call: Call) -> Lines:
    # Seldom asked for, and slow to import: not at the start, and not on the loop.
    await anyio.to_thread.run_sync(import_module, "llmgwd.doctor.doctor")
    from llmgwd.doctor.context import Request
    from llmgwd.doctor.doctor import diagnose

    status = daemon.status()
    only = call.query.get("forward")
    if only is not None:
        daemon.forward_status(only)
    named = call.query.get("models", "")
    request = Request(
        models=tuple(name for name in named.split(",") if name),
        is_paid=call.query.get("paid", False),
    )
    statuses = {forward["name"]: forward for forward in status["forwards"]}
    lines = diagnose(daemon.config, request, statuses, only)
    return Lines(_after_config(status["config"], lines))


async def _after_config(
    config: ConfigStatus, lines: AsyncIterator[CheckStatus]
) -> AsyncIterator[CheckStatus]:
    """Give first what is wrong with the configuration, if it is, as the status does."""
    from llmgwd.doctor.checks import of_config

    async with contextlib.aclosing(cast("Any", lines)):
        if config["error"] is not None:
            yield of_config(CheckState.NEEDS_PERSON, config["error"], CORRECT_IT)
        async for line in lines:
            yield line


ENDPOINTS = (
    Endpoint(
        "GET",
        ApiPath.DOCTOR,
        "Every check from the kubeconfig to the gateway's answer, one a line",
        CheckStatus,
        _doctor,
        parameters=(
            Parameter("forward", str, "only this one"),
            Parameter("models", str, "names to look for, with commas between"),
            Parameter("paid", bool, "true: have the gateway call its models for real"),
        ),
        media=JSON_LINES,
        refusals=(404,),
    ),
)
