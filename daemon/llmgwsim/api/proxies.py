"""What stands before the API server and answers in its place: a captive portal, a proxy."""

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


def refuse_by_proxy(request: Request, behaviour: Behaviour) -> bool:
    """Answer as a proxy that does not pass this kind of upgrade; False: it passes."""
    upgrade = request.headers.get("upgrade", "").lower()
    status = None
    if upgrade.startswith("spdy"):
        status = behaviour.refuse_spdy
    elif upgrade == "websocket":
        status = behaviour.refuse_websocket
    if status is None:
        return False
    page = f"<html><head><title>{status}</title></head><body><hr>proxy</body></html>\r\n"
    request.respond(status, page.encode(), "text/html")
    return True
