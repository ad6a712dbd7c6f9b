"""All endpoints of the control API, in the order of the document; the last one is the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.wire import ApiPath
from llmgwd.control.endpoint import Call, Endpoint, Reply
from llmgwd.control.endpoints import doctor, forwards, key, logs, metrics, models, requests

if TYPE_CHECKING:
    from llmgwd.control.daemon import Daemon


async def _document(daemon: Daemon, call: Call) -> Reply:
    from llmgwd.control.openapi import document

    return Reply(document(TABLE))


TABLE: tuple[Endpoint, ...] = (
    *forwards.ENDPOINTS,
    *requests.ENDPOINTS,
    *key.ENDPOINTS,
    *models.ENDPOINTS,
    *logs.ENDPOINTS,
    *doctor.ENDPOINTS,
    *metrics.ENDPOINTS,
    Endpoint("GET", ApiPath.OPENAPI, "This API, described", dict, _document),
)
