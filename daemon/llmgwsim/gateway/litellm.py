"""LiteLLM's surface as its clients see it: keys, models, health, usage, error shapes.

Status codes and bodies are those of LiteLLM 1.80.0, and of 1.104 where `version` says so; a code
in an error body is a string, and a wrong key without a database is a 400.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from llmgwsim.gateway.chat import serve_chat
from llmgwsim.gateway.errors import error
from llmgwsim.gateway.keys import key_hash, over_budget, presented_key, refuse_key
from llmgwsim.gateway.messages import serve_count, serve_messages
from llmgwsim.gateway.responses import serve_responses
from llmgwsim.gateway.settings import GatewayRecord, GatewaySettings
from llmgwsim.gateway.usage import daily_activity
from llmgwsim.net.request import Request

_NO_DB = {
    "detail": {"error": "DB not connected. See https://docs.litellm.ai/docs/proxy/virtual_keys"}
}


async def serve_litellm(
    request: Request, settings: GatewaySettings, record: GatewayRecord, is_draining: bool
) -> None:
    path = request.path.rstrip("/") or "/"
    if path in _OPEN:
        if request.method not in ("GET", "OPTIONS"):
            request.respond_json(405, {"detail": "Method Not Allowed"}, {"allow": "GET"})
            return
        status, body = _OPEN[path](settings, is_draining)
        request.respond_json(status, body)
        return
    if path == "/":
        request.respond(200, b"<html>LiteLLM API - Swagger UI</html>", "text/html; charset=utf-8")
        return
    if path == "/ui":
        await _serve_ui(request)
        return
    route = _KEYED.get(path) or (
        _one_model if path.startswith(("/v1/models/", "/models/")) else None
    )
    if route is None:
        request.respond_json(404, {"detail": "Not Found"})
        return
    key = presented_key(request)
    refusal = refuse_key(key, settings)
    if refusal is None and path != "/key/info":
        refusal = over_budget(key, settings)
    if refusal is not None:
        request.respond_json(*refusal)
        return
    await route(request, settings, record)


async def _serve_ui(request: Request) -> None:
    if request.path.endswith("/"):
        page = b"<!DOCTYPE html><title>LiteLLM Dashboard</title><h1>LiteLLM</h1>"
        request.respond(200, page, "text/html; charset=utf-8")
    else:
        host = request.headers.get("host", "localhost")
        request.respond(307, headers={"location": f"http://{host}/ui/"})


def _liveliness(settings: GatewaySettings, is_draining: bool) -> tuple[int, object]:
    if is_draining and settings.is_newer:
        return 503, {"status": "shutting_down"}
    return 200, "I'm alive!"


def _readiness(settings: GatewaySettings, is_draining: bool) -> tuple[int, object]:
    if is_draining and settings.is_newer:
        return 503, {"status": "shutting_down"}
    if settings.has_database and not settings.is_database_reachable:
        if settings.is_newer:
            return 503, {"status": "unhealthy", "db": "disconnected"}
        return 503, {"detail": "Service Unhealthy (All connection attempts failed)"}
    database = "connected" if settings.has_database else "Not connected"
    if settings.is_newer:
        return 200, {"status": "healthy", "db": database}
    return 200, {
        "status": "connected" if settings.has_database else "healthy",
        "db": database,
        "cache": None,
        "litellm_version": settings.version,
        "success_callbacks": ["sync_deployment_callback_on_success"],
        "use_aiohttp_transport": True,
        "log_level": "WARNING",
        "is_detailed_debug": False,
    }


def _routes(settings: GatewaySettings, is_draining: bool) -> tuple[int, object]:
    return 200, {"routes": []}


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1677610602, "owned_by": "openai"}


def _allowed_models(request: Request, settings: GatewaySettings) -> tuple[str, ...]:
    entry = settings.keys.get(presented_key(request) or "")
    return entry.models if entry and entry.models else settings.models


async def _models(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    names = _allowed_models(request, settings)
    request.respond_json(200, {"data": [_model(name) for name in names], "object": "list"})


async def _one_model(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    name = request.path.split("models/", 1)[1]
    if name in _allowed_models(request, settings):
        request.respond_json(200, _model(name))
    else:
        text = f"The model `{name}` does not exist or is not accessible"
        request.respond_json(404, {"detail": text})


async def _model_info(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    items = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}"},
            "model_info": {"id": key_hash(name), "db_model": False, "max_input_tokens": 200000},
        }
        for name in _allowed_models(request, settings)
    ]
    request.respond_json(200, {"data": items})


async def _health(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    """Counted: the real one makes a paid call to each model."""
    record.paid_health_calls += 1
    healthy = [{"model": name} for name in settings.models]
    body = {"healthy_endpoints": healthy, "unhealthy_endpoints": []}
    request.respond_json(200, body | {"healthy_count": len(healthy), "unhealthy_count": 0})


async def _key_info(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    if not settings.has_database:
        text = (
            "Internal Server Error, Database not connected. "
            "Connect a database to your proxy - https://docs.litellm.ai/docs/simple_proxy"
        )
        request.respond_json(*error(500, text, "internal_server_error"))
        return
    key = presented_key(request) or ""
    entry = settings.keys.get(key)
    if entry is None:
        request.respond_json(*error(404, "Key not found in database", "not_found_error", "key"))
        return
    known = {
        "key_name": f"sk-...{key[-4:]}",
        "key_alias": entry.alias,
        "spend": entry.spend,
        "expires": None,
        "models": list(entry.models),
        "user_id": entry.user_id,
        "team_id": None,
        "max_budget": entry.max_budget,
        "budget_duration": "30d",
        "budget_reset_at": "2026-12-03T08:46:39.499779+00:00",
        "tpm_limit": None,
        "rpm_limit": None,
        "blocked": None,
        "metadata": {},
        "model_spend": {},
        "litellm_budget_table": None,
    }
    request.respond_json(200, {"key": key_hash(key), "info": known})


async def _activity(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    if not settings.has_database:
        request.respond_json(500, _NO_DB)
        return
    start, end = request.argument("start_date"), request.argument("end_date")
    if not start or not end:
        problem = {"detail": {"error": "Please provide start_date and end_date"}}
        request.respond_json(400, problem)
        return
    key = presented_key(request) or ""
    digest = request.argument("api_key") or key_hash(key)
    page = int(request.argument("page", "1"))
    page_size = int(request.argument("page_size", "50"))
    body = daily_activity(start, end, settings.models, digest, page, page_size)
    request.respond_json(200, body)


async def _without_database(
    request: Request, settings: GatewaySettings, record: GatewayRecord
) -> None:
    if not settings.has_database:
        request.respond_json(500, {"detail": {"error": "No db connected"}})
    else:
        request.respond_json(200, {"spend": 0.0, "max_budget": 0.0})


_OPEN: dict[str, Callable[[GatewaySettings, bool], tuple[int, object]]] = {
    "/health/liveliness": _liveliness,
    "/health/liveness": _liveliness,
    "/health/readiness": _readiness,
    "/routes": _routes,
}
_Route = Callable[[Request, GatewaySettings, GatewayRecord], Awaitable[None]]
_KEYED: dict[str, _Route] = {
    "/health": _health,
    "/v1/models": _models,
    "/models": _models,
    "/model/info": _model_info,
    "/v1/model/info": _model_info,
    "/key/info": _key_info,
    "/user/daily/activity": _activity,
    "/global/spend": _without_database,
    "/v1/chat/completions": serve_chat,
    "/chat/completions": serve_chat,
    "/v1/responses": serve_responses,
    "/responses": serve_responses,
    "/v1/messages": serve_messages,
    "/v1/messages/count_tokens": serve_count,
}
