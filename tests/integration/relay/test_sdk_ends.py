"""What the real SDKs of Anthropic and OpenAI make of an answer that breaks off."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator, Callable

import anthropic
import openai
import pytest

from support.relay.relay_front import relay_front
from support.relay.scripted_route import ScriptedRoute, ServedStream

pytestmark = pytest.mark.anyio

# What the SDKs' HTTP library raises where they pass its errors on; their releases differ about
# which library it is.
TRANSPORT_ERRORS = tuple(
    importlib.import_module(name).TransportError
    for name in ("httpx", "httpx2")
    if importlib.util.find_spec(name)
)

KEY = "sk-of-a-test"
QUESTION = [{"role": "user", "content": "Say something."}]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "in_progress",
}  # fmt: skip


def event(body: dict[str, object] | str, name: str = "") -> bytes:
    data = body if isinstance(body, str) else json.dumps(body)
    said = (f"event: {name}\n" if name else "") + f"data: {data}\n\n"
    return b"%x\r\n%b\r\n" % (len(said), said.encode())


class Messages:
    """Anthropic's messages."""

    error = anthropic.APIStatusError
    refused = anthropic.InternalServerError
    begin = (
        event(
            {"type": "message_start", "message": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                "stop_reason": None, "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 1}}},
            "message_start",
        )
        + event(
            {"type": "content_block_start", "index": 0,
             "content_block": {"type": "text", "text": ""}},
            "content_block_start",
        )
        + event(
            {"type": "content_block_delta", "index": 0,
             "delta": {"type": "text_delta", "text": "word"}},
            "content_block_delta",
        )
    )  # fmt: skip
    last = event({"type": "message_stop"}, "message_stop")

    @staticmethod
    async def ask(port: int) -> AsyncIterator[str]:
        client = anthropic.AsyncAnthropic(
            base_url=f"http://127.0.0.1:{port}", api_key=KEY, max_retries=0
        )
        async with client:
            stream = await client.messages.create(
                model="m", max_tokens=9, messages=QUESTION, stream=True  # type: ignore[arg-type]
            )  # fmt: skip
            async for each in stream:
                if each.type == "content_block_delta" and each.delta.type == "text_delta":
                    yield each.delta.text


class Chat:
    """OpenAI's chat completions."""

    error: type[Exception] = openai.APIError
    refused = openai.InternalServerError
    begin = event(
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
         "choices": [{"index": 0, "delta": {"content": "word"}, "finish_reason": None}]}
    )  # fmt: skip
    last = event("[DONE]")

    @staticmethod
    async def ask(port: int) -> AsyncIterator[str]:
        client = openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0
        )
        async with client:
            stream = await client.chat.completions.create(
                model="m", messages=QUESTION, stream=True  # type: ignore[arg-type]
            )  # fmt: skip
            async for chunk in stream:
                yield chunk.choices[0].delta.content or ""


class Responses:
    """OpenAI's responses."""

    error: type[Exception] = openai.APIError
    refused = openai.InternalServerError
    begin = event(
        {"type": "response.created", "sequence_number": 0, "response": RESPONSE},
        "response.created",
    ) + event(
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "i",
         "output_index": 0, "content_index": 0, "delta": "word", "logprobs": []},
        "response.output_text.delta",
    )  # fmt: skip
    last = event(
        {"type": "response.completed", "sequence_number": 2,
         "response": RESPONSE | {"status": "completed"}},
        "response.completed",
    )  # fmt: skip

    @staticmethod
    async def ask(port: int) -> AsyncIterator[str]:
        client = openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0
        )
        async with client:
            stream = await client.responses.create(model="m", input="Say something.", stream=True)
            async for each in stream:
                if each.type == "response.output_text.delta":
                    yield each.delta


Api = type[Messages] | type[Chat] | type[Responses]
EACH = pytest.mark.parametrize("api", [Messages, Chat, Responses])
BREAK = pytest.mark.parametrize("break_off", [ServedStream.fail, ServedStream.close])


def said_then_broken(
    said: bytes, break_off: Callable[[ServedStream], None]
) -> Callable[[], ScriptedRoute]:
    async def serve(stream: ServedStream) -> None:
        await stream.head()
        stream.say(said)
        break_off(stream)

    return ScriptedRoute(serve).up  # type: ignore[return-value]


@EACH
@BREAK
async def test_an_answer_that_breaks_off_is_an_error_of_the_sdk_with_our_sentence(
    api: Api, break_off: Callable[[ServedStream], None]
) -> None:
    pieces: list[str] = []
    async with relay_front(said_then_broken(HEAD + api.begin, break_off)) as front:
        with pytest.raises(api.error) as raised:
            pieces.extend([piece async for piece in api.ask(front.port)])

    assert "llmgw: The connection to " in str(raised.value)
    assert "The answer is not complete." in str(raised.value)
    assert raised.type.__module__.startswith(("anthropic", "openai"))
    assert len(front.cuts) == 1


@EACH
@BREAK
async def test_an_answer_that_had_its_last_event_is_whole_for_the_sdk(
    api: Api, break_off: Callable[[ServedStream], None]
) -> None:
    route = said_then_broken(HEAD + api.begin + api.last, break_off)
    async with relay_front(route) as front:
        assert [piece async for piece in api.ask(front.port)] == ["word"]

    assert front.cuts == []


@EACH
@BREAK
async def test_an_answer_that_breaks_off_in_an_event_is_never_taken_for_whole(
    api: Api, break_off: Callable[[ServedStream], None]
) -> None:
    pieces: list[str] = []
    async with relay_front(said_then_broken(HEAD + api.begin[:-9], break_off)) as front:
        with pytest.raises((*TRANSPORT_ERRORS, openai.APIConnectionError)) as raised:
            pieces.extend([piece async for piece in api.ask(front.port)])

    assert "The answer is not complete." not in str(raised.value)
    assert len(front.cuts) == 1


@EACH
@BREAK
async def test_a_request_without_an_answer_is_the_sdks_502_with_our_sentence(
    api: Api, break_off: Callable[[ServedStream], None]
) -> None:
    pieces: list[str] = []
    async with relay_front(said_then_broken(b"", break_off)) as front:
        with pytest.raises(api.refused) as raised:
            pieces.extend([piece async for piece in api.ask(front.port)])

    assert raised.value.status_code == 502
    assert "may have been received" in str(raised.value)
    assert [record["outcome"] for record in front.records] == ["unavailable"]
