"""A page in between that answers in the API server's place: a captive portal, a proxy's login."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmgwsim.api.behaviour import Behaviour
    from llmgwsim.net.request import Request

_PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in to the network</title></head>"
    "<body><h1>Sign in to continue</h1></body></html>"
)


def answered_by_portal(request: Request, behaviour: Behaviour) -> bool:
    """Answer with the portal's page; False: none is in between."""
    status = behaviour.portal_status
    if status is None:
        return False
    headers = {"location": "http://portal.example/login"} if status in (302, 307) else {}
    request.respond(status, _PAGE.encode(), "text/html; charset=utf-8", headers)
    return True
