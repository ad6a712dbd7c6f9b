"""What the fake provider does with tools: one call where a question asks for it, in each dialect.

A question that says "Please read the file PATH" is answered by a call of the first tool here that
the program offers, and the tool's result by that result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

# By the tools of Claude Code, opencode, gemini-cli, Codex and llm.
_ARGUMENTS: dict[str, Callable[[str], dict[str, str]]] = {
    "Read": lambda path: {"file_path": path},
    "read": lambda path: {"filePath": path},
    "read_file": lambda path: {"file_path": path},
    "exec_command": lambda path: {"cmd": f"cat {path}"},
    "llm_version": lambda _path: {},
}


class Call(NamedTuple):
    name: str
    arguments: dict[str, str]


def wanted_call(body: dict[str, Any]) -> Call | None:
    asked = re.search(r"Please read the file ([\w/.-]+)", json.dumps(_messages(body)))
    offered = set(_offered(body))
    name = next((each for each in _ARGUMENTS if each in offered), None)
    if asked is None or name is None:
        return None
    return Call(name, _ARGUMENTS[name](asked[1]))


def tool_result(body: dict[str, Any]) -> str | None:
    """Give what a tool brought back, if the newest message holds that."""
    newest = _messages(body)[-1]
    if newest.get("role") == "tool":
        return json.dumps(newest["content"])
    if newest.get("type") == "function_call_output":
        return json.dumps(newest["output"])
    content = newest.get("content")
    for part in content if isinstance(content, list) else newest.get("parts", ()):
        if part.get("type") == "tool_result":
            return json.dumps(part["content"])
        if "functionResponse" in part:
            return json.dumps(part["functionResponse"])
    return None


def chat_deltas(call: Call) -> Iterator[dict[str, Any]]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    yield {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}


def response_item(call: Call) -> dict[str, Any]:
    return {
        "id": "fc_1",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": call.name,
        "arguments": json.dumps(call.arguments),
    }


def google_part(call: Call) -> dict[str, Any]:
    return {"functionCall": {"name": call.name, "args": call.arguments}}


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    found = body.get("messages") or body.get("contents") or body.get("input")
    return found if isinstance(found, list) and found else [{"content": str(found)}]


def _offered(body: dict[str, Any]) -> Iterator[str]:
    for tool in body.get("tools", ()):
        yield str(tool.get("name") or tool.get("function", {}).get("name"))
        yield from (each["name"] for each in tool.get("functionDeclarations", ()))
