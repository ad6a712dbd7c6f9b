"""The line that `systemctl --user status` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from llmgwd.service.sentence import LIMIT, sentence

if TYPE_CHECKING:
    from llmgwctl.wire import ForwardStatus, Status


def _route(*pods: tuple[str, int], **other: Any) -> dict[str, Any]:
    return {
        "kind": "kubernetes",
        "name": "kubernetes",
        "is_active": True,
        "pods": [{"name": name, "tunnels": n, "terminating": False} for name, n in pods],
    } | other


def _condition(summary: str, severity: str = "error", hidden_by: str | None = None) -> Any:
    return {"summary": summary, "severity": severity, "hidden_by": hidden_by}


def _forward(name: str, state: str, **other: Any) -> ForwardStatus:
    base = {"name": name, "state": state, "routes": [], "streams": 0, "held": 0, "conditions": []}
    return cast("ForwardStatus", base | other)


def _status(*forwards: ForwardStatus, **other: Any) -> Status:
    return cast("Status", {"forwards": list(forwards), "conditions": []} | other)


_ONE_POD = [_route(("litellm-abc", 3), ("litellm-old", 0))]


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (
            _forward("litellm", "ready", routes=_ONE_POD, streams=2),
            "litellm ready via pod litellm-abc, 2 streams",
        ),
        (
            _forward("litellm", "ready", routes=_ONE_POD, streams=1),
            "litellm ready via pod litellm-abc, 1 stream",
        ),
        (
            _forward("litellm", "ready", routes=[_route(("a", 1), ("b", 2))]),
            "litellm ready via 2 pods, 0 streams",
        ),
        (
            _forward("litellm", "ready", routes=[_route(kind="url", name="https://gw.example")]),
            "litellm ready via https://gw.example, 0 streams",
        ),
        (
            _forward(
                "litellm",
                "degraded",
                routes=_ONE_POD,
                conditions=[_condition("The gateway is slow.", "warning")],
            ),
            "litellm degraded via pod litellm-abc, 0 streams: The gateway is slow",
        ),
        (
            _forward(
                "litellm",
                "reconnecting",
                held=3,
                conditions=[
                    _condition("Hidden.", hidden_by="api-server-unreachable"),
                    _condition("Only told.", "info"),
                    _condition("Less.", "warning"),
                    _condition("The API server is away."),
                ],
            ),
            "litellm reconnecting, 3 held: The API server is away",
        ),
        (_forward("litellm", "stopped"), "litellm stopped"),
        (_forward("litellm", "a-state-of-tomorrow"), "litellm a-state-of-tomorrow"),
    ],
)
def test_a_forward_is_said_in_one_clause(forward: ForwardStatus, said: str) -> None:
    assert sentence(_status(forward)) == said


def test_the_forward_in_trouble_comes_first() -> None:
    status = _status(_forward("a", "stopped"), _forward("b", "starting"), _forward("c", "blocked"))

    assert sentence(status) == "c blocked; b starting; a stopped"


def test_the_daemons_own_trouble_comes_before_all() -> None:
    status = _status(_forward("a", "stopped"), conditions=[_condition("The file is wrong.")])

    assert sentence(status) == "The file is wrong; a stopped"


def test_a_daemon_without_forwards_says_so() -> None:
    assert sentence(_status()) == "no forward is configured"


def test_many_forwards_are_cut_to_what_a_terminal_shows() -> None:
    status = _status(*(_forward(f"forward-{n}", "stopped") for n in range(100)))

    assert len(sentence(status)) <= LIMIT
    assert sentence(status).endswith("…")
