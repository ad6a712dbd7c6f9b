"""The route to the doctor: each check as a line, as soon as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.wire import ApiPath, CheckStatus
from llmgwd.control.endpoint import JSON_LINES, Call, Endpoint, Lines, Parameter
from llmgwd.doctor.context import Request
from llmgwd.doctor.doctor import diagnose

if TYPE_CHECKING:
    from llmgwd.control.daemon import Daemon


async def _doctor(daemon: Daemon, call: Call) -> Lines:
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
    return Lines(diagnose(daemon.config, request, statuses, only))


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
