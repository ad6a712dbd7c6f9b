"""What the simulated gateway says about spend: invented, but steady for a day and a model."""

from __future__ import annotations

import datetime
import zlib
from typing import Any

_Metrics = dict[str, float]
_FIELDS = (
    "spend",
    "prompt_tokens",
    "completion_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "total_tokens",
    "successful_requests",
    "failed_requests",
    "api_requests",
)


def daily_activity(
    start: str, end: str, models: tuple[str, ...], key_hash: str, page: int, page_size: int
) -> dict[str, Any]:
    """The body of GET /user/daily/activity; totals are of the page, as LiteLLM has them.

    Raises:
        ValueError: a date that is none.
    """
    first, last = datetime.date.fromisoformat(start), datetime.date.fromisoformat(end)
    days = [first + datetime.timedelta(days=n) for n in range((last - first).days + 1)][::-1]
    shown = days[(page - 1) * page_size : page * page_size]
    results = [_day(day, models, key_hash) for day in shown]
    total = _sum([result["metrics"] for result in results])
    total_pages = max(1, -(-len(days) // page_size))
    names = {name: f"total_{name.removeprefix('total_')}" for name in _FIELDS}
    metadata = {names[name]: total[name] for name in _FIELDS}
    metadata |= {"page": page, "total_pages": total_pages, "has_more": page < total_pages}
    return {"results": results, "metadata": metadata}


def _day(day: datetime.date, models: tuple[str, ...], key_hash: str) -> dict[str, Any]:
    by_model = {model: _metrics(day, model) for model in models}
    names: dict[str, Any] = {}
    for model, metrics in by_model.items():
        key = {"metrics": metrics, "metadata": {"key_alias": "demo", "team_id": None}}
        names[model] = {"metrics": metrics, "metadata": {}, "api_key_breakdown": {key_hash: key}}
    total = _sum(list(by_model.values()))
    of_key = {"metrics": total, "metadata": {"key_alias": "demo", "team_id": None}}
    breakdown = {
        "mcp_servers": {},
        "models": names,
        "model_groups": {},
        "providers": {},
        "api_keys": {key_hash: of_key},
        "entities": {},
    }
    return {"date": day.isoformat(), "metrics": total, "breakdown": breakdown}


def _metrics(day: datetime.date, model: str) -> _Metrics:
    draw = zlib.crc32(f"{day.isoformat()} {model}".encode())
    requests = draw % 40
    prompt, completion = requests * (900 + draw % 700), requests * (120 + draw % 90)
    return {
        "spend": round(prompt * 3e-6 + completion * 15e-6, 6),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cache_read_input_tokens": prompt // 2,
        "cache_creation_input_tokens": prompt // 10,
        "total_tokens": prompt + completion,
        "successful_requests": requests - requests // 20,
        "failed_requests": requests // 20,
        "api_requests": requests,
    }


def _sum(items: list[_Metrics]) -> _Metrics:
    return {name: round(sum(item[name] for item in items), 6) for name in _FIELDS}
