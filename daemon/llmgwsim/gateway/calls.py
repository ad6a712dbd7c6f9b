"""What every call of a model shares: how it is read, its pace, its headers, its events.

The headers are those of LiteLLM 1.80.0. A chat or a response says nearly all in one piece, and what
is known before the first token in a stream (no cost, no model group); /v1/messages says next to
nothing before 1.100, and after it as much as a chat.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from llmgwsim.gateway.keys import key_hash, presented_key
from llmgwsim.net.request import Request, json_body

if TYPE_CHECKING:
    from llmgwsim.gateway.settings import GatewaySettings

SSE = "text/event-stream; charset=utf-8"
COST = "1.35e-05"
PROMPT_TOKENS = 12
_TEXT = "The simulated gateway answers with words that mean nothing and arrive one by one"
WORDS = tuple(_TEXT.split(" "))
Headers = dict[str, str]


async def asked_of(request: Request) -> dict[str, Any] | None:
    """The JSON of a call; None: it was none, and has been answered."""
    if request.method != "POST":
        request.respond_json(405, {"detail": "Method Not Allowed"}, {"allow": "POST"})
        return None
    try:
        return json_body(await request.body())
    except ValueError as problem:
        text = f"Invalid JSON payload: {problem}"
        body = {"message": text, "type": "invalid_request_error", "param": "None", "code": "400"}
        request.respond_json(400, {"error": body})
        return None


def refuse_model(request: Request, text: str, headers: Headers | None = None) -> None:
    """Answer a call of a model that the gateway does not have."""
    body = {"message": text, "type": "None", "param": "None", "code": "400"}
    request.respond_json(400, {"error": body}, headers)


def refuse_openai_model(request: Request, settings: GatewaySettings, model: str, path: str) -> None:
    """As `refuse_model`, in the words and with the headers of OpenAI's calls at `path`."""
    text = (
        f"{{'error': '{path}: Invalid model name passed in model={model}. "
        "Call `/v1/models` to view available models for your key.'}"
    )
    refuse_model(request, text, error_headers(request, settings))


def pace(asked: dict[str, Any], settings: GatewaySettings) -> tuple[int, float]:
    """How many pieces a stream has, and the seconds between them."""
    pieces = int(asked.get("pieces", settings.stream_pieces))
    return pieces, float(asked.get("gap_s", settings.stream_gap_s))


def think_s(asked: dict[str, Any], settings: GatewaySettings) -> float:
    return float(asked.get("think_s", settings.think_s))


def piece(number: int) -> str:
    return WORDS[number % len(WORDS)] + " "


async def send_event(request: Request, body: object, kind: str | None = None) -> None:
    name = f"event: {kind}\n" if kind else ""
    await request.send(f"{name}data: {json.dumps(body)}\n\n".encode())


def key_headers(request: Request, settings: GatewaySettings) -> Headers:
    """Version and key: all that 1.80 says of /v1/messages."""
    entry = settings.keys.get(presented_key(request) or "")
    headers = {"x-litellm-version": settings.version}
    if entry is not None and entry.max_budget is not None:
        headers["x-litellm-key-max-budget"] = str(entry.max_budget)
    # The key's spend before this call.
    return headers | {"x-litellm-key-spend": str(entry.spend if entry else 0.0)}


def stream_headers(request: Request, settings: GatewaySettings, model: str) -> Headers:
    """What is known when a stream begins; its cost is not."""
    return {
        "x-litellm-call-id": _call_id(request),
        "x-litellm-model-id": key_hash(model),
        "x-litellm-model-api-base": "https://api.openai.com",
        **key_headers(request, settings),
        "x-litellm-response-cost-original": "0.0",
        "x-litellm-response-cost-discount-amount": "0.0",
    }


def whole_headers(
    request: Request, settings: GatewaySettings, model: str, took_s: float
) -> Headers:
    """What is said of an answer in one piece."""
    return stream_headers(request, settings, model) | {
        "x-litellm-response-cost": COST,
        "x-litellm-response-cost-original": COST,
        "x-litellm-response-duration-ms": f"{took_s * 1000:.3f}",
        "x-litellm-overhead-duration-ms": "2.113",
        "x-litellm-model-group": model,
        "x-litellm-attempted-retries": "0",
        "x-litellm-attempted-fallbacks": "0",
        "llm_provider-content-type": "application/json",
    }


def error_headers(request: Request, settings: GatewaySettings) -> Headers:
    """What is said of a chat or a response that failed; messages and refused keys say nothing."""
    return {
        "x-litellm-call-id": _call_id(request),
        **key_headers(request, settings),
        "x-litellm-response-cost": "0",
    }


def _call_id(request: Request) -> str:
    return request.headers.get("x-litellm-call-id") or str(uuid.uuid4())
