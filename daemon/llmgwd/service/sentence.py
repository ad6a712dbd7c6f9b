"""A status as the one line that `systemctl --user status` shows: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.wire import SERVING_STATES, STATES_WORST_FIRST, RouteKind, Severity, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.wire import ConditionStatus, ForwardStatus, PodStatus, RouteStatus, Status

# What fits a terminal twice; systemd itself would take more.
LIMIT = 240


def sentence(status: Status) -> str:
    """Render all forwards, those in trouble first."""
    rank = [state.value for state in STATES_WORST_FIRST]
    worst_first = sorted(
        status["forwards"],
        key=lambda forward: rank.index(forward["state"]) if forward["state"] in rank else 0,
    )
    parts = [_forward(forward) for forward in worst_first]
    parts = [*(_reason(status["conditions"], "")), *parts]
    text = "; ".join(parts) or "no forward is configured"
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 1].rstrip()}…"


def _forward(forward: ForwardStatus) -> str:
    words = f"{forward['name']} {forward['state']}"
    if forward["state"] in SERVING_STATES:
        words += _via(forward["routes"])
        words += f", {_count(forward['streams'], 'stream')}"
    if forward["held"]:
        words += f", {forward['held']} held"
    if forward["state"] not in (State.READY, State.STOPPED):
        words += "".join(_reason(forward["conditions"], ": "))
    return words


def _via(routes: Sequence[RouteStatus]) -> str:
    active = next((route for route in routes if route["is_active"]), None)
    if active is None:
        return ""
    if active["kind"] != RouteKind.KUBERNETES:
        return f" via {active['name']}"
    used = [pod for pod in active["pods"] if pod["tunnels"] and not pod["terminating"]]
    return f" via {_pods(used)}" if used else ""


def _pods(pods: Sequence[PodStatus]) -> str:
    if len(pods) == 1:
        return f"pod {pods[0]['name']}"
    return f"{len(pods)} pods"


def _reason(conditions: Sequence[ConditionStatus], prefix: str) -> list[str]:
    """Give the first cause (no consequence of another) that is more than a notice."""
    causes = [
        condition
        for condition in conditions
        if condition["hidden_by"] is None and condition["severity"] != Severity.INFO
    ]
    causes.sort(key=lambda condition: condition["severity"] != Severity.ERROR)
    return [prefix + causes[0]["summary"].rstrip(".")] if causes else []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
