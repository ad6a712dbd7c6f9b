"""Records of requests as a daemon would give them. Plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from llmgwctl.wire import RequestRecord


def record(seq: int = 1, **changes: Any) -> RequestRecord:
    """Give a streamed answer that went well, but for what is changed."""
    found = {
        "seq": seq,
        "time": f"2026-03-01T11:{seq:02d}:00.000Z",
        "forward": "litellm",
        "method": "POST",
        "path": "/v1/messages",
        "status": 200,
        "outcome": "answered",
        "model": "claude-sonnet-4-5",
        "cost": None,
        "first_byte_s": 0.84,
        "total_s": 12.5,
        "sent_bytes": 48_200,
        "received_bytes": 31_400,
        "held_s": 0.0,
        "resent": 0,
        "pod": "litellm-7c9d8f6b54-x2x9k",
        "url": None,
        "program": "claude-cli/2.0.55",
        "kind": "http",
    }
    assert set(changes) <= set(found)
    return cast("RequestRecord", found | changes)


# Each outcome, each mark, both kinds of route, and what is not known.
VARIOUS = [
    record(1),
    record(2, path="/v1/chat/completions", cost=0.0123, first_byte_s=0.41, total_s=0.9),
    record(3, held_s=3.42, first_byte_s=4.1),
    record(4, resent=1),
    record(5, held_s=0.2, resent=2, pod=None, url="https://llm.tail1234.ts.net/base"),
    record(6, status=429, model=None, first_byte_s=0.011, total_s=0.012, received_bytes=180),
    record(
        7, status=503, outcome="unavailable", model=None, pod=None, first_byte_s=30.0, total_s=30.0
    ),
    record(8, outcome="cut", total_s=95.0),
    record(9, outcome="cancelled", total_s=3.3),
    record(10, status=None, outcome="cancelled", model=None, first_byte_s=None, program=None),
    record(11, method="GET", path="/v1/models", model=None, program="OpenAI/Python", total_s=0.01),
    record(12, outcome="later-than-this-client", program="evil\x1b[31m"),
]
