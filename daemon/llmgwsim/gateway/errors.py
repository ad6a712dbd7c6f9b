"""The shape of LiteLLM's errors: OpenAI's, on every route; a code in a body is a string."""

from __future__ import annotations


def error(
    status: int, message: str, kind: str, param: str | None = "None", code: int | None = None
) -> tuple[int, object]:
    body = {"message": message, "type": kind, "param": param, "code": str(code or status)}
    return status, {"error": body}
