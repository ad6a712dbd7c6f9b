"""Chat and messages of the simulated gateway, with LiteLLM's headers and errors."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

from llmgwsim.net.request import Request, json_body

if TYPE_CHECKING:
    from llmgwsim.gateway.settings import GatewayRecord, GatewaySettings

_TEXT = "The simulated gateway answers with words that mean nothing and arrive one by one"
_WORDS = tuple(_TEXT.split(" "))
_SSE = "text/event-stream; charset=utf-8"


async def serve_chat(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    """POST /v1/chat/completions; `think_s`, `pieces` and `gap_s` in the body change its pace."""
    asked = await _asked(request)
    if asked is None:
        return
    model = str(asked.get("model", ""))
    if model not in settings.models:
        text = (
            f"{{'error': '/chat/completions: Invalid model name passed in model={model}. "
            "Call `/v1/models` to view available models for your key.'}"
        )
        _bad_request(request, text)
        return
    record.model_calls += 1
    headers = _headers(settings) | {"x-litellm-call-id": str(uuid.uuid4())}
    await asyncio.sleep(float(asked.get("think_s", settings.think_s)))
    if asked.get("stream"):
        await _stream_chat(request, asked, settings, headers)
        return
    usage = {"completion_tokens": 15, "prompt_tokens": 12, "total_tokens": 27}
    message = {"role": "assistant", "content": " ".join(_WORDS)}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = {"id": "chatcmpl-demo", "created": 1763890000, "model": f"{model}-provider"}
    body |= {"object": "chat.completion", "choices": [choice], "usage": usage}
    headers |= {"x-litellm-model-group": model, "x-litellm-response-cost": "1.35e-05"}
    request.respond_json(200, body, headers)


async def serve_messages(
    request: Request, settings: GatewaySettings, record: GatewayRecord
) -> None:
    """POST /v1/messages, Anthropic's shape; errors in OpenAI's, as LiteLLM has them."""
    asked = await _asked(request)
    if asked is None:
        return
    model = str(asked.get("model", ""))
    if model not in settings.models:
        text = f"400: {{'error': 'completion: Invalid model name passed in model={model}'}}"
        _bad_request(request, text)
        return
    record.model_calls += 1
    await asyncio.sleep(float(asked.get("think_s", settings.think_s)))
    message: dict[str, Any] = {
        "id": "msg_demo",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 1},
    }
    if asked.get("stream"):
        await _stream_messages(request, asked, settings, message)
        return
    message["content"] = [{"type": "text", "text": " ".join(_WORDS)}]
    message |= {"stop_reason": "end_turn", "usage": {"input_tokens": 12, "output_tokens": 15}}
    request.respond_json(200, message, _headers(settings))


async def serve_count(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    if await _asked(request) is not None:
        request.respond_json(200, {"input_tokens": 9})


async def _asked(request: Request) -> dict[str, Any] | None:
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


def _bad_request(request: Request, text: str) -> None:
    body = {"message": text, "type": "None", "param": "None", "code": "400"}
    request.respond_json(400, {"error": body})


def _headers(settings: GatewaySettings) -> dict[str, str]:
    return {"x-litellm-version": settings.version, "x-litellm-key-spend": "0.0"}


def _pace(asked: dict[str, Any], settings: GatewaySettings) -> tuple[int, float]:
    pieces = int(asked.get("pieces", settings.stream_pieces))
    return pieces, float(asked.get("gap_s", settings.stream_gap_s))


async def _stream_chat(
    request: Request, asked: dict[str, Any], settings: GatewaySettings, headers: dict[str, str]
) -> None:
    pieces, gap_s = _pace(asked, settings)
    request.start(200, headers | {"content-type": _SSE})
    head = {"id": "chatcmpl-demo", "created": 1763890000, "model": asked["model"]}
    head["object"] = "chat.completion.chunk"
    for number in range(pieces):
        delta: dict[str, Any] = {"content": _WORDS[number % len(_WORDS)] + " "}
        if number == 0:
            delta["role"] = "assistant"
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        await _send_event(request, head | {"choices": [choice]})
        await asyncio.sleep(gap_s)
    last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    await _send_event(request, head | {"choices": [last]})
    if (asked.get("stream_options") or {}).get("include_usage"):
        usage = {"completion_tokens": pieces, "prompt_tokens": 12, "total_tokens": pieces + 12}
        await _send_event(request, head | {"choices": [], "usage": usage})
    await request.send(b"data: [DONE]\n\n")
    request.finish()


async def _stream_messages(
    request: Request, asked: dict[str, Any], settings: GatewaySettings, message: dict[str, Any]
) -> None:
    pieces, gap_s = _pace(asked, settings)
    request.start(200, _headers(settings) | {"content-type": _SSE})

    async def send(kind: str, **fields: Any) -> None:
        await _send_event(request, {"type": kind} | fields, kind)

    await send("message_start", message=message)
    await send("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for number in range(pieces):
        delta = {"type": "text_delta", "text": _WORDS[number % len(_WORDS)] + " "}
        await send("content_block_delta", index=0, delta=delta)
        await asyncio.sleep(gap_s)
    await send("content_block_stop", index=0)
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    await send("message_delta", delta=stop, usage={"output_tokens": pieces})
    await send("message_stop")
    request.finish()


async def _send_event(request: Request, body: object, kind: str | None = None) -> None:
    name = f"event: {kind}\n" if kind else ""
    await request.send(f"{name}data: {json.dumps(body)}\n\n".encode())
