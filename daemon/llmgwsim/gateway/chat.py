"""POST /v1/chat/completions of the simulated gateway, with LiteLLM's headers and errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmgwsim.gateway import calls

if TYPE_CHECKING:
    from llmgwsim.gateway.settings import GatewayRecord, GatewaySettings
    from llmgwsim.net.request import Request

_MOMENT = 1763890000


async def serve_chat(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    """`think_s`, `pieces` and `gap_s` in the body change its pace."""
    asked = await calls.asked_of(request)
    if asked is None:
        return
    model = str(asked.get("model", ""))
    if model not in settings.models:
        calls.refuse_openai_model(request, settings, model, "/chat/completions")
        return
    record.model_calls += 1
    think_s = calls.think_s(asked, settings)
    await asyncio.sleep(think_s)
    if asked.get("stream"):
        await _stream(request, asked, settings, model)
        return
    usage = {"completion_tokens": 15, "prompt_tokens": calls.PROMPT_TOKENS, "total_tokens": 27}
    message = {"role": "assistant", "content": " ".join(calls.WORDS)}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = {"id": "chatcmpl-demo", "created": _MOMENT, "model": f"{model}-provider"}
    body |= {"object": "chat.completion", "choices": [choice], "usage": usage}
    request.respond_json(200, body, calls.whole_headers(request, settings, model, think_s))


async def _stream(
    request: Request, asked: dict[str, Any], settings: GatewaySettings, model: str
) -> None:
    pieces, gap_s = calls.pace(asked, settings)
    headers = calls.stream_headers(request, settings, model)
    request.start(200, headers | {"content-type": calls.SSE})
    head = {"id": "chatcmpl-demo", "created": _MOMENT, "model": f"{model}-provider"}
    head["object"] = "chat.completion.chunk"
    for number in range(pieces):
        delta: dict[str, Any] = {"content": calls.piece(number)}
        if number == 0:
            delta["role"] = "assistant"
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        await calls.send_event(request, head | {"choices": [choice]})
        await asyncio.sleep(gap_s)
    last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    await calls.send_event(request, head | {"choices": [last]})
    if (asked.get("stream_options") or {}).get("include_usage"):
        prompt = calls.PROMPT_TOKENS
        usage = {"completion_tokens": pieces, "prompt_tokens": prompt}
        usage["total_tokens"] = pieces + prompt
        await calls.send_event(request, head | {"choices": [], "usage": usage})
    await request.send(b"data: [DONE]\n\n")
    request.finish()
