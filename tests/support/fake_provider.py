"""A model provider in small, for a real LiteLLM to call, and a gate.

It speaks the APIs of OpenAI, Anthropic and Google.

A question that holds the word "hold" stops its streamed answer after two words until `release`.
Tools are called as `fake_tools` says.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.fake_tools import (
    Call,
    chat_deltas,
    google_part,
    response_item,
    tool_result,
    wanted_call,
)

WORDS = ("The ", "provider ", "says ", "five ", "words.")
GATE_S = 90.0


class Provider(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.asked: list[str] = []  # paths, one for each call that would have cost money
        self.said_two = threading.Event()
        self.stopped_after_two = 0  # how many questions since the last `hold`
        self._gate = threading.Event()

    @property
    def port(self) -> int:
        return self.server_port

    def hold(self) -> None:
        """Stop the next questions that ask for it again, after a `release`."""
        self.said_two.clear()
        self.stopped_after_two = 0
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    def pieces(self, body: dict[str, Any]) -> Iterator[str]:
        asked = json.dumps(body)
        # opencode has a title made of each question, beside the answer.
        is_held = "Please hold" in asked and "title generator" not in asked
        for number, word in enumerate(WORDS):
            if is_held and number == 2:
                self.stopped_after_two += 1
                self.said_two.set()
                self._gate.wait(GATE_S)
            yield word


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(self.path)
        dialect = next(each for each in DIALECTS if self.path.startswith(each.path))
        if not (body.get("stream") or "stream" in self.path):
            self._send("application/json", json.dumps(dialect.whole(body)).encode())
            return
        self._send("text/event-stream", None)
        for event in dialect.events(body, self.server.pieces(body)):
            self._chunk(event.encode())
        self._chunk(b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, kind: str, payload: bytes | None) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        if payload is None:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload or b"")

    def _chunk(self, payload: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(payload), payload))
        self.wfile.flush()


def openai_completion(body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(WORDS)}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
    }


def openai_events(body: dict[str, Any], pieces: Iterator[str]) -> Iterator[str]:
    shared = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
    shared["model"] = body["model"]
    call = _call_of(body)
    said = ({"content": piece} for piece in _said(body, pieces))
    for delta in said if call is None else chat_deltas(call):
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield f"data: {json.dumps({**shared, 'choices': [choice]})}\n\n"
    choice = {"index": 0, "delta": {}, "finish_reason": "stop" if call is None else "tool_calls"}
    yield f"data: {json.dumps({**shared, 'choices': [choice]})}\n\n"
    yield "data: [DONE]\n\n"


def anthropic_message(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": "".join(WORDS)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 5},
    }


def anthropic_events(body: dict[str, Any], pieces: Iterator[str]) -> Iterator[str]:
    start = anthropic_message(body) | {"content": [], "stop_reason": None}
    yield _event("message_start", message=start)
    call = _call_of(body)
    if call is not None:
        block = {"type": "tool_use", "id": "toolu_1", "name": call.name, "input": {}}
        written = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
        yield from _block(block, [written])
        reason = "tool_use"
    else:
        words = ({"type": "text_delta", "text": piece} for piece in _said(body, pieces))
        yield from _block({"type": "text", "text": ""}, words)
        reason = "end_turn"
    delta = {"stop_reason": reason, "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage={"output_tokens": 5})
    yield _event("message_stop")


def _block(block: dict[str, Any], deltas: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield _event("content_block_start", index=0, content_block=block)
    for delta in deltas:
        yield _event("content_block_delta", index=0, delta=delta)
    yield _event("content_block_stop", index=0)


def response(body: dict[str, Any], state: str = "completed") -> dict[str, Any]:
    """OpenAI's newer API, which Codex speaks."""
    usage = {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 8,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": state,
        "model": body["model"],
        "output": [_response_message()] if state == "completed" else [],
        "usage": usage if state == "completed" else None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": None,
        "top_p": None,
        "metadata": {},
        "error": None,
        "incomplete_details": None,
        "instructions": None,
    }


def _response_message(said: str = "".join(WORDS)) -> dict[str, Any]:
    text = {"type": "output_text", "text": said, "annotations": []}
    shared = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return {**shared, "content": [text]}


def response_events(body: dict[str, Any], pieces: Iterator[str]) -> Iterator[str]:
    yield _event("response.created", response=response(body, "in_progress"))
    call = _call_of(body)
    if call is not None:
        item = response_item(call)
        yield _event("response.output_item.added", output_index=0, item=item)
    else:
        place = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
        empty = _response_message() | {"content": [], "status": "in_progress"}
        yield _event("response.output_item.added", output_index=0, item=empty)
        said = ""
        for piece in _said(body, pieces):
            said += piece
            yield _event("response.output_text.delta", delta=piece, **place)
        item = _response_message(said)
    yield _event("response.output_item.done", output_index=0, item=item)
    yield _event("response.completed", response=response(body) | {"output": [item]})


def google_answer(text: str) -> dict[str, Any]:
    """Google's API, which gemini-cli speaks; the model is in the path."""
    content = {"role": "model", "parts": [{"text": text}]}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini"}


def google_events(body: dict[str, Any], pieces: Iterator[str]) -> Iterator[str]:
    call = _call_of(body)
    for piece in _said(body, pieces) if call is None else ():
        answer = google_answer(piece)
        del answer["candidates"][0]["finishReason"]
        yield f"data: {json.dumps(answer)}\n\n"
    last = google_answer("")
    if call is not None:
        last["candidates"][0]["content"]["parts"] = [google_part(call)]
    yield f"data: {json.dumps(last)}\n\n"


def _call_of(body: dict[str, Any]) -> Call | None:
    return wanted_call(body) if tool_result(body) is None else None


def _said(body: dict[str, Any], pieces: Iterator[str]) -> Iterator[str]:
    result = tool_result(body)
    return pieces if result is None else iter([result])


def _event(kind: str, **fields: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


@dataclass(frozen=True)
class Dialect:
    path: str
    whole: Callable[[dict[str, Any]], dict[str, Any]]
    events: Callable[[dict[str, Any], Iterator[str]], Iterator[str]]


DIALECTS = (
    Dialect("/v1/messages", anthropic_message, anthropic_events),
    Dialect("/v1/responses", response, response_events),
    Dialect("/v1/chat/completions", openai_completion, openai_events),
    Dialect("/models/", lambda _body: google_answer("".join(WORDS)), google_events),
)


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.release()
            server.shutdown()
            thread.join()
