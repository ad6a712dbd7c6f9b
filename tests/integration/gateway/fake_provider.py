"""A model provider in small, for a real LiteLLM to call: OpenAI's and Anthropic's API, and a gate.

A question that holds the word "hold" stops its streamed answer after two words until `release`.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("The ", "provider ", "says ", "five ", "words.")
GATE_S = 60.0


class Provider(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.asked: list[str] = []  # paths, one for each call that would have cost money
        self.said_two = threading.Event()
        self._gate = threading.Event()

    @property
    def port(self) -> int:
        return self.server_port

    def release(self) -> None:
        self._gate.set()

    def pieces(self, body: dict[str, Any]) -> Iterator[str]:
        is_held = "hold" in json.dumps(body["messages"])
        for number, word in enumerate(WORDS):
            if is_held and number == 2:
                self.said_two.set()
                self._gate.wait(GATE_S)
            yield word


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(self.path)
        is_anthropic = self.path.startswith("/v1/messages")
        if not body.get("stream"):
            whole = anthropic_message(body) if is_anthropic else openai_completion(body)
            self._send("application/json", json.dumps(whole).encode())
            return
        self._send("text/event-stream", None)
        events = anthropic_events if is_anthropic else openai_events
        for event in events(body, self.server.pieces(body)):
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
    for piece in pieces:
        choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
        yield f"data: {json.dumps({**shared, 'choices': [choice]})}\n\n"
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
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
    block = {"type": "text", "text": ""}
    yield _event("message_start", message=start)
    yield _event("content_block_start", index=0, content_block=block)
    for piece in pieces:
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield _event("content_block_stop", index=0)
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage={"output_tokens": 5})
    yield _event("message_stop")


def _event(kind: str, **fields: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


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
