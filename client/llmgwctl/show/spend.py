"""The costs that the daemon saw, added up and drawn, for a gateway that keeps no record.

Pure. A gateway names the cost of some answers only (never of a streamed one), so each sum comes
with the number of requests it is known for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from llmgwctl.show.charts import bar, count, dollars, gathered, sparkline
from llmgwctl.show.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmgwctl.wire import DaySpend

_BAR_WIDTH = 12
_WIDTH = 80
_NAME_WIDTH = 30


@dataclass(frozen=True, slots=True)
class Seen:
    requests: int = 0
    known: int = 0
    cost: float = 0.0

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.requests + other.requests, self.known + other.known, self.cost + other.cost
        )


@dataclass(frozen=True, slots=True)
class Spend:
    since: date
    until: date  # inclusive
    total: Seen
    days: Mapping[str, Seen]  # every day of the range
    groups: Mapping[str, Seen]  # greatest cost first; days in order


def add_up(
    days: Iterable[DaySpend], grouping: str, since: date, until: date, forward: str
) -> Spend:
    """Add up one forward's sums by "model" or by "day"."""
    span = range((until - since).days + 1)
    by_day = {(since + timedelta(days=n)).isoformat(): Seen() for n in span}
    by_model: dict[str, Seen] = {}
    for each in days:
        if each["forward"] != forward or each["day"] not in by_day:
            continue
        seen = Seen(each["requests"], each["known"], each["cost"])
        by_day[each["day"]] += seen
        by_model[each["model"]] = by_model.get(each["model"], Seen()) + seen
    groups = by_day if grouping == "day" else _by_cost(by_model)
    return Spend(since, until, sum(by_day.values(), Seen()), by_day, groups)


def _by_cost(groups: Mapping[str, Seen]) -> dict[str, Seen]:
    return dict(sorted(groups.items(), key=lambda item: (-item[1].cost, item[0])))


def render(spend: Spend, grouping: str) -> str:
    """Draw the days as a sparkline, and a table; fits 80 columns."""
    drawn = sparkline(gathered([seen.cost for seen in spend.days.values()], _WIDTH))
    days = f"{spend.since} to {spend.until}"
    total = (
        f"{dollars(spend.total.cost)}, known for {spend.total.known} of "
        f"{spend.total.requests} requests"
    )
    line = f"{days}  {drawn}  {total}"
    lines = [line] if len(line) <= _WIDTH else [f"{days}  {total}", drawn]
    return "\n".join([*lines, "", *_table(spend.groups, grouping)]) + "\n"


def _table(groups: Mapping[str, Seen], grouping: str) -> list[str]:
    top = max((seen.cost for seen in groups.values()), default=0.0)
    width = min(max([len(name) for name in groups] + [len(grouping)]), _NAME_WIDTH)
    rows = [f"{grouping.upper():{width}}  {'COST':>9}  {'KNOWN':>8}  {'REQUESTS':>8}"]
    for name, seen in groups.items():
        share = seen.cost / top if top else 0.0
        row = (
            f"{Terminal().cut(name, width):{width}}  {dollars(seen.cost):>9}  "
            f"{count(seen.known):>8}  {count(seen.requests):>8}  {bar(share, _BAR_WIDTH)}"
        )
        rows.append(row.rstrip())
    return rows


def as_json(spend: Spend, grouping: str) -> dict[str, Any]:
    """Give the same for scripts; `source` says that it is not the gateway's own record."""
    return {
        "source": "llmgwd",
        "since": spend.since.isoformat(),
        "until": spend.until.isoformat(),
        "budget": None,
        "total": _fields(spend.total),
        "by": grouping,
        "groups": [{"name": name, **_fields(seen)} for name, seen in spend.groups.items()],
    }


def _fields(seen: Seen) -> dict[str, Any]:
    return {"spend": seen.cost, "known": seen.known, "requests": seen.requests}
