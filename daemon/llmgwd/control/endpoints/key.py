"""The route that hands out the gateway's key: over this socket only, and logged nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.wire import ApiPath, KeyStatus
from llmgwd.control.endpoint import Call, Endpoint, Parameter, Reply

if TYPE_CHECKING:
    from llmgwd.control.daemon import Daemon


async def _key(daemon: Daemon, call: Call) -> Reply:
    key = await daemon.key(
        call.query["forward"],
        reveal=call.query.get("reveal", False),
        to_judge=call.query.get("to_judge", False),
    )
    return Reply(KeyStatus(key=key.value, source=key.source))


ENDPOINTS = (
    Endpoint(
        "GET",
        ApiPath.KEY,
        "The gateway's key, for the same user only",
        KeyStatus,
        _key,
        parameters=(
            Parameter("forward", str, "as which forward's gateway", is_required=True),
            Parameter("reveal", bool, "true: the key itself, not the placeholder for it"),
            Parameter("to_judge", bool, "true: even one that the gateway is known to reject"),
        ),
        refusals=(404, 409),
    ),
)
