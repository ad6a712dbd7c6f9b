"""The route to the gateway's models, as far as they are known: it waits for no gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.wire import ApiPath, ModelsStatus
from llmgwd.control.endpoint import Call, Endpoint, Parameter, Reply

if TYPE_CHECKING:
    from llmgwd.control.daemon import Daemon


async def _models(daemon: Daemon, call: Call) -> Reply:
    return Reply(daemon.models(call.query["forward"]))


ENDPOINTS = (
    Endpoint(
        "GET",
        ApiPath.MODELS,
        "The gateway's models as known right now; an old list is renewed behind the answer",
        ModelsStatus,
        _models,
        parameters=(Parameter("forward", str, "behind which forward", is_required=True),),
        refusals=(404,),
    ),
)
