"""Spend and tokens of a key: LiteLLM's daily activity added up and drawn.

Pure. LiteLLM's totals are of one page only, so the days are added up here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from llmgwctl.rules.numbers import number
from llmgwctl.rules.printable import clean
from llmgwctl.show.charts import bar, count, dollars, gathered, gauge, sparkline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GROUPINGS = ("model", "day", "key")
_BAR_WIDTH = 12
# LiteLLM's names for the counts of a `Tally`, in their order there.
_COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "cache_read_input_tokens",
    "api_requests",
    "failed_requests",
)
_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Tally:
    spend: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cache_read_tokens: int = 0
    requests: int = 0
    failed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.spend + other.spend,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.requests + other.requests,
            self.failed + other.failed,
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """What /key/info says of a key. Amounts are dollars."""

    name: str
    spend: float
    limit: float | None
    resets_at: str | None  # RFC 3339
    expires_at: str | None
    is_blocked: bool


@dataclass(frozen=True, slots=True)
class Usage:
    since: date
    until: date  # inclusive
    total: Tally
    days: Mapping[str, Tally]  # every day of the range, also those without a call
    groups: Mapping[str, Tally]  # by what was asked for, greatest spend first, days in order
    budget: Budget | None


def first_day(today: date, seconds: float) -> date:
    """Give the first day of a range that ends today: 7 days are today and the six before it."""
    return today - timedelta(days=max(0, -(-int(seconds) // 86400) - 1))


def budget_of(key_info: Mapping[str, Any]) -> Budget:
    """Read the answer of /key/info."""
    info = _mapping(key_info.get("info"))
    limits = _mapping(info.get("litellm_budget_table"))
    limit = number(info.get("max_budget"))
    return Budget(
        name=_text(info.get("key_alias")) or _text(info.get("key_name")) or "",
        spend=number(info.get("spend")) or 0.0,
        limit=number(limits.get("max_budget")) if limit is None else limit,
        resets_at=_text(info.get("budget_reset_at")) or _text(limits.get("budget_reset_at")),
        expires_at=_text(info.get("expires")),
        is_blocked=bool(info.get("blocked")),
    )


def add_up(
    results: Iterable[Mapping[str, Any]],
    grouping: str,
    since: date,
    until: date,
    budget: Budget | None = None,
) -> Usage:
    """Add up the `results` of all pages of /user/daily/activity."""
    span = range((until - since).days + 1)
    days = {(since + timedelta(days=n)).isoformat(): Tally() for n in span}
    groups: dict[str, Tally] = {}
    for result in results:
        result = _mapping(result)
        day = _day_of(result, since)
        tally = _tally(result.get("metrics"))
        days[day] = days.get(day, Tally()) + tally
        for name, part in _parts(result, grouping):
            groups[name] = groups.get(name, Tally()) + part
    total = sum(days.values(), Tally())
    if grouping == "day":
        groups = dict(sorted(days.items()))
    else:
        groups = dict(sorted(groups.items(), key=lambda item: (-item[1].spend, item[0])))
    return Usage(since, until, total, dict(sorted(days.items())), groups, budget)


def _parts(result: Mapping[str, Any], grouping: str) -> Iterable[tuple[str, Tally]]:
    breakdown = _mapping(result.get("breakdown"))
    if grouping == "model":
        # The name that requests use, where the gateway keeps it; else the provider's.
        models = _mapping(breakdown.get("model_groups")) or _mapping(breakdown.get("models"))
        for name, part in models.items():
            yield clean(name), _tally(_mapping(part).get("metrics"))
    elif grouping == "key":
        for digest, part in _mapping(breakdown.get("api_keys")).items():
            alias = _text(_mapping(_mapping(part).get("metadata")).get("key_alias"))
            yield alias or f"{clean(digest[:8])}…", _tally(_mapping(part).get("metrics"))


def _tally(metrics: object) -> Tally:
    known = _mapping(metrics)
    return Tally(
        number(known.get("spend")) or 0.0,
        *(int(number(known.get(name)) or 0) for name in _COUNTS),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return clean(value) if isinstance(value, str) and value else None


def _day_of(result: Mapping[str, Any], first: date) -> str:
    """Give the day that a result is of; one that names none counts for the first of all."""
    day = (_text(result.get("date")) or "")[:10]
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        return first.isoformat()


def render(usage: Usage, grouping: str) -> str:
    """Draw the budget, the days as a sparkline, and a table; fits 80 columns."""
    lines = budget_lines(usage.budget) if usage.budget else []
    lines += _total_lines(usage)
    if usage.total.requests == 0:
        return "\n".join([*lines, "no calls in this time"]) + "\n"
    return "\n".join([*lines, "", *_table(usage.groups, grouping)]) + "\n"


def _total_lines(usage: Usage) -> list[str]:
    """Write the sum, with the days drawn before it, or below where they are many."""
    drawn = sparkline(gathered([tally.spend for tally in usage.days.values()], _WIDTH))
    days = f"{usage.since} to {usage.until}"
    tokens = usage.total.prompt_tokens + usage.total.completion_tokens
    total = (
        f"{dollars(usage.total.spend)}, {count(usage.total.requests)} requests, "
        f"{count(tokens)} tokens"
    )
    line = f"{days}  {drawn}  {total}"
    return [line] if len(line) <= _WIDTH else [f"{days}  {total}", drawn]


def budget_lines(budget: Budget) -> list[str]:
    """Draw how much of the budget is spent."""
    name = f"{budget.name}  " if budget.name else ""
    notes = [", blocked"] if budget.is_blocked else []
    if budget.expires_at:
        notes.append(f", expires {budget.expires_at[:10]}")
    if not budget.limit:
        return [f"{name}{dollars(budget.spend)} spent, no budget set{''.join(notes)}"]
    share = budget.spend / budget.limit
    if budget.resets_at:
        notes.insert(0, f", reset {budget.resets_at[:10]}")
    return [
        f"{name}{gauge(share, 20)} {share:.0%}  "
        f"{dollars(budget.spend)} of {dollars(budget.limit)}{''.join(notes)}"
    ]


def _table(groups: Mapping[str, Tally], grouping: str) -> list[str]:
    top = max((tally.spend for tally in groups.values()), default=0.0)
    width = min(max([len(name) for name in groups] + [len(grouping)]), 30)
    header = f"{grouping.upper():{width}}  {'SPEND':>9}  {'REQUESTS':>8}  {'FAILED':>6}  "
    rows = [(header + f"{'IN':>5}  {'OUT':>5}").rstrip()]
    for name, tally in groups.items():
        share = tally.spend / top if top else 0.0
        row = (
            f"{_fit(name, width):{width}}  {dollars(tally.spend):>9}  {count(tally.requests):>8}  "
            f"{count(tally.failed):>6}  {count(tally.prompt_tokens):>5}  "
            f"{count(tally.completion_tokens):>5}  {bar(share, _BAR_WIDTH)}"
        )
        rows.append(row.rstrip())
    return rows


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def budget_as_json(budget: Budget) -> dict[str, Any]:
    """Give what is known when no calls may be seen; the rest is null, not zero."""
    return {"budget": _fields(budget), "total": None, "groups": None}


def as_json(usage: Usage, grouping: str) -> dict[str, Any]:
    """Give the same for scripts: full numbers, names as LiteLLM has them."""
    budget = usage.budget
    return {
        "since": usage.since.isoformat(),
        "until": usage.until.isoformat(),
        "budget": None if budget is None else _fields(budget),
        "total": _fields(usage.total),
        "by": grouping,
        "groups": [{"name": name, **_fields(tally)} for name, tally in usage.groups.items()],
    }


def _fields(record: Budget | Tally) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
