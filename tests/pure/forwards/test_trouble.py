"""What the users of a port learn: our own words, and nothing that a cluster said."""

from __future__ import annotations

from llmgwd.cluster.api_errors import Action, refusal
from llmgwd.forwards.verdict.conditions import Conditions
from llmgwd.forwards.verdict.no_route_answer import without_route
from llmgwd.tunnel.stream import failure_from_text

SAID = b'{"kind": "Status", "message": "Bearer abcdefghijk for \\u001b[2J marvin"}'


def test_a_port_repeats_nothing_of_what_an_api_server_says() -> None:
    error = refusal(Action("get", "services", "", "ns"), 500, SAID, {}, "")
    conditions = Conditions().renewed([error], "t", is_serving=False)

    trouble = without_route(conditions.worst(), 1, is_blocked=False)

    assert trouble.message == "The API server answered 500."
    assert "marvin" in conditions.standing[0].summary
    assert "abcdefghijk" not in conditions.standing[0].summary


def test_a_port_repeats_nothing_of_what_a_node_says() -> None:
    error, _ = failure_from_text("marvin says no: connection refused", has_answered=False, pod="p")
    conditions = Conditions().renewed([error], "t", is_serving=False)

    assert without_route(conditions.worst(), 1, is_blocked=False).message == (
        "The pod refused the connection."
    )
