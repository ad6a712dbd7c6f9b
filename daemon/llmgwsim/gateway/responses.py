"""POST /v1/responses of the simulated gateway: OpenAI's newer shape, which Codex speaks.

LiteLLM names an event in its JSON alone, without an `event:` line, and ends with [DONE].
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmgwsim.gateway import calls

if TYPE_CHECKING:
    from llmgwsim.gateway.settings import GatewayRecord, GatewaySettings
    from llmgwsim.net.request import Request

_ITEM_ID = "msg_demo"
_Object = dict[str, Any]


async def serve_responses(
    request: Request, settings: GatewaySettings, record: GatewayRecord
) -> None:
    """`think_s`, `pieces` and `gap_s` in the body change its pace."""
    asked = await calls.asked_of(request)
    if asked is None:
        return
    model = str(asked.get("model", ""))
    if model not in settings.models:
        calls.refuse_openai_model(request, settings, model, "/responses")
        return
    record.model_calls += 1
    think_s = calls.think_s(asked, settings)
    await asyncio.sleep(think_s)
    if asked.get("stream"):
        headers = calls.stream_headers(request, settings, model)
        await _stream(request, calls.pace(asked, settings), model, headers)
        return
    body = _response(model, "completed", [_item("completed", " ".join(calls.WORDS))], 15)
    request.respond_json(200, body, calls.whole_headers(request, settings, model, think_s))


def _response(model: str, status: str, output: list[_Object], tokens: int = 0) -> _Object:
    usage = {
        "input_tokens": calls.PROMPT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": calls.PROMPT_TOKENS + tokens,
    }
    return {
        "id": "resp_demo",
        "object": "response",
        "created_at": 1763890000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": f"{model}-provider",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage if status == "completed" else None,
    }


def _part(text: str) -> _Object:
    return {"type": "output_text", "text": text, "annotations": []}


def _item(status: str, text: str | None = None) -> _Object:
    content = [] if text is None else [_part(text)]
    head = {"id": _ITEM_ID, "type": "message", "role": "assistant"}
    return head | {"status": status, "content": content}


async def _stream(
    request: Request, pace: tuple[int, float], model: str, headers: calls.Headers
) -> None:
    pieces, gap_s = pace
    request.start(200, headers | {"content-type": calls.SSE})
    sent = 0

    async def send(kind: str, **fields: Any) -> None:
        nonlocal sent
        body = {"type": f"response.{kind}", "sequence_number": sent} | fields
        sent += 1
        await calls.send_event(request, body)

    place: _Object = {"item_id": _ITEM_ID, "output_index": 0, "content_index": 0}
    begun = _response(model, "in_progress", [])
    await send("created", response=begun)
    await send("in_progress", response=begun)
    await send("output_item.added", output_index=0, item=_item("in_progress"))
    await send("content_part.added", **place, part=_part(""))
    text = ""
    for number in range(pieces):
        text += calls.piece(number)
        await send("output_text.delta", **place, delta=calls.piece(number), logprobs=[])
        await asyncio.sleep(gap_s)
    await send("output_text.done", **place, text=text, logprobs=[])
    await send("content_part.done", **place, part=_part(text))
    item = _item("completed", text)
    await send("output_item.done", output_index=0, item=item)
    await send("completed", response=_response(model, "completed", [item], pieces))
    await request.send(b"data: [DONE]\n\n")
    request.finish()
