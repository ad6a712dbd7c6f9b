"""The state of a forward, as a function of what is known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmgwctl.wire import ConditionKind, State
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.forwards.verdict.conditions import Conditions
from llmgwd.forwards.verdict.facts import Facts
from llmgwd.forwards.verdict.state import derive

EXPIRED = Blocked(ConditionKind.LOGIN_EXPIRED, "the login expired", "log in")
LOST = Transient(ConditionKind.TUNNEL_LOST, "The tunnel broke.")
TAKEN = Blocked(ConditionKind.PORT_TAKEN, "127.0.0.1:4000 is taken by nginx (pid 7).")
SILENT = Transient(ConditionKind.GATEWAY_SILENT, "No answer.")
NO_POD = Blocked(ConditionKind.NO_PODS, "There is no pod.")
UNCHECKED = Blocked(ConditionKind.CLIENTS_UNCHECKED, "Anyone may connect.")
BUG = LlmgwError(ConditionKind.INTERNAL, "a mistake")
STOPPED = Facts(is_stopped=True)
SERVING = Facts(is_listening=True, is_route_up=True)

UNREADY = Transient(ConditionKind.UNREADY_POD_USED, "no pod is ready")


def _serving(**changes: object) -> Facts:
    return replace(SERVING, **changes)  # type: ignore[arg-type]


def _without_route(*problems: LlmgwError) -> Facts:
    return Facts(is_listening=True, route_problems=problems)


def _derived(facts: Facts, was: State) -> State:
    conditions = Conditions().renewed(facts.problems(), "now", is_serving=facts.is_serving)
    return derive(facts, conditions, was)


@pytest.mark.parametrize("was", list(State))
@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (STOPPED, State.STOPPED),
        (SERVING, State.READY),
        # What is only worth knowing takes nothing from it.
        (_serving(route_problems=(UNCHECKED,)), State.READY),
        (_serving(health_problem=SILENT), State.DEGRADED),
        (_serving(fallback="https://x"), State.DEGRADED),
        (
            _serving(last_resort=UNREADY),
            State.DEGRADED,
        ),
        (_serving(route_problems=(EXPIRED,)), State.DEGRADED),
        # One of two addresses is enough to serve.
        (_serving(listener_problems=(TAKEN,)), State.DEGRADED),
        (_without_route(LOST), State.RECONNECTING),
        (_without_route(BUG), State.RECONNECTING),
        (_without_route(EXPIRED), State.BLOCKED),
        # A consequence that retries by itself does not hide that a person must act, ...
        (_without_route(LOST, EXPIRED), State.BLOCKED),
        # ... and one that a person could cure hides behind a cause that passes by itself.
        (
            _without_route(
                NO_POD, Transient(ConditionKind.API_SERVER_UNREACHABLE, "There is no network.")
            ),
            State.RECONNECTING,
        ),
        (Facts(is_route_up=True, listener_problems=(TAKEN,)), State.BLOCKED),
    ],
)
def test_what_is_known_alone_gives_the_state(facts: Facts, state: State, was: State) -> None:
    assert _derived(facts, was) is state


@pytest.mark.parametrize(
    ("facts", "was", "state"),
    [
        # No address was tried yet, or the only one is about to be tried again.
        (Facts(is_route_up=True), State.STARTING, State.STARTING),
        (Facts(is_route_up=True), State.READY, State.READY),
        # Nothing has failed yet; later it was replaced on request.
        (_without_route(), State.STARTING, State.STARTING),
        (_without_route(), State.READY, State.RECONNECTING),
        # Not ready before the gateway has said its first word; but served meanwhile all the same.
        (_serving(is_answer_open=True), State.STARTING, State.STARTING),
        (_serving(is_answer_open=True), State.RECONNECTING, State.RECONNECTING),
        (_serving(is_answer_open=True), State.READY, State.READY),
        # A forward that was stopped starts from the beginning.
        (Facts(), State.STOPPED, State.STARTING),
        (_without_route(), State.STOPPED, State.STARTING),
    ],
)
def test_while_nothing_is_known_it_stays_what_it_was(
    facts: Facts, was: State, state: State
) -> None:
    assert _derived(facts, was) is state
