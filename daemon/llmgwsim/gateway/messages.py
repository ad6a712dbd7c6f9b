"""POST /v1/messages of the simulated gateway: Anthropic's shape, OpenAI's errors, few headers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmgwsim.gateway import calls

if TYPE_CHECKING:
    from llmgwsim.gateway.settings import GatewayRecord, GatewaySettings
    from llmgwsim.net.request import Request


async def serve_messages(
    request: Request, settings: GatewaySettings, record: GatewayRecord
) -> None:
    """`think_s`, `pieces` and `gap_s` in the body change its pace."""
    asked = await calls.asked_of(request)
    if asked is None:
        return
    model = str(asked.get("model", ""))
    if model not in settings.models:
        text = f"400: {{'error': 'completion: Invalid model name passed in model={model}'}}"
        calls.refuse_model(request, text)
        return
    record.model_calls += 1
    think_s = calls.think_s(asked, settings)
    await asyncio.sleep(think_s)
    message: dict[str, Any] = {
        "id": "msg_demo",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": calls.PROMPT_TOKENS, "output_tokens": 1},
    }
    headers = calls.key_headers(request, settings)
    if asked.get("stream"):
        if settings.is_newer:
            headers = calls.stream_headers(request, settings, model)
        await _stream(request, calls.pace(asked, settings), message, headers)
        return
    if settings.is_newer:
        headers = calls.whole_headers(request, settings, model, think_s)
    message["content"] = [{"type": "text", "text": " ".join(calls.WORDS)}]
    usage = {"input_tokens": calls.PROMPT_TOKENS, "output_tokens": 15}
    request.respond_json(200, message | {"stop_reason": "end_turn", "usage": usage}, headers)


async def serve_count(request: Request, settings: GatewaySettings, record: GatewayRecord) -> None:
    if await calls.asked_of(request) is not None:
        request.respond_json(200, {"input_tokens": 9})


async def _stream(
    request: Request, pace: tuple[int, float], message: dict[str, Any], headers: calls.Headers
) -> None:
    pieces, gap_s = pace
    request.start(200, headers | {"content-type": calls.SSE})

    async def send(kind: str, **fields: Any) -> None:
        await calls.send_event(request, {"type": kind} | fields, kind)

    await send("message_start", message=message)
    await send("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for number in range(pieces):
        delta = {"type": "text_delta", "text": calls.piece(number)}
        await send("content_block_delta", index=0, delta=delta)
        await asyncio.sleep(gap_s)
    await send("content_block_stop", index=0)
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    await send("message_delta", delta=stop, usage={"output_tokens": pieces})
    await send("message_stop")
    request.finish()
