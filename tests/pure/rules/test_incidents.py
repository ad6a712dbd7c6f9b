"""Incidents: an outage in a few lines, out of all that happened in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llmgwctl.rules.timestamps import stamp
from llmgwctl.show.incidents import Incidents

if TYPE_CHECKING:
    from llmgwctl.wire import Event

EPOCH = 1_700_000_000.0


def event(at: float, kind: str, **fields: Any) -> Event:
    given = {"forward": "litellm", "message": f"{kind}.", **fields}
    return cast("Event", {"seq": 0, "time": stamp(EPOCH + at), "kind": kind, **given})


def state(at: float, name: str, cause: str | None = None) -> Event:
    why = f": {cause}" if cause else ""
    fields = {"cause": cause} if cause else {}
    return event(at, "state-changed", state=name, message=f"litellm is {name}{why}.", **fields)


def shown(*events: Event) -> list[str]:
    incidents = Incidents()
    return [each["message"] for one in events for each in incidents.feed(one)]


def test_an_outage_has_a_beginning_a_clearer_cause_and_an_end() -> None:
    lines = shown(
        event(0.0, "route-lost", cause="tunnel-lost"),
        state(0.0, "reconnecting", "tunnel-lost"),
        event(0.0, "condition-raised", cause="tunnel-lost"),
        event(0.3, "condition-raised", cause="api-server-unreachable", message="It is away."),
        state(0.3, "reconnecting", "api-server-unreachable"),
        event(0.5, "pod-lost"),
        event(0.6, "connection-cut", streams=1),
        event(0.7, "connection-redialed", streams=2),
        event(4.0, "hold-expired", streams=3),
        event(4.5, "hold-expired", streams=4),
        event(9.0, "condition-cleared", cause="tunnel-lost"),
        event(9.5, "route-up", held=5),
        state(9.5, "ready"),
        event(9.5, "condition-cleared", cause="api-server-unreachable"),
    )

    assert lines == [
        "litellm is reconnecting: tunnel-lost.",
        "It is away.",
        "litellm is ready again after 9.5 s: 12 waited, 7 told why not (503), 2 sent again, 1 cut.",
    ]


def test_what_happens_while_all_is_well_is_shown() -> None:
    lines = shown(
        state(0.0, "ready"),
        event(1.0, "pod-added", message="Pod a can be used."),
        event(2.0, "connection-redialed", message="Sent again."),
        event(3.0, "condition-raised", cause="exposed", message="Exposed."),
        event(4.0, "condition-cleared", cause="exposed", message="Resolved: exposed."),
    )

    assert lines == [
        "litellm is ready.",
        "Pod a can be used.",
        "Sent again.",
        "Exposed.",
        "Resolved: exposed.",
    ]


def test_connections_that_are_cut_again_and_again_are_one_matter() -> None:
    cuts = [event(n * 20.0, "connection-cut", streams=2, message="Cut.") for n in range(4)]

    lines = shown(state(0.0, "ready"), *cuts, event(200.0, "pod-added", message="Pod a."))

    assert lines == ["litellm is ready.", "Cut.", "6 more connections cut within 60s.", "Pod a."]


def test_an_outage_counts_what_was_cut_before_it() -> None:
    cuts = [event(float(n), "connection-cut", message="Cut.") for n in range(3)]

    lines = shown(*cuts, state(3.0, "reconnecting", "no-pods"), state(4.0, "ready"))

    assert lines == [
        "Cut.",
        "litellm is reconnecting: no-pods.",
        "litellm is ready again after 1.0 s: 2 cut.",
    ]


def test_a_forward_that_falls_again_and_again_is_flapping() -> None:
    falls = [
        each
        for n in range(9)
        for each in (state(n * 5, "reconnecting", "tunnel-lost"), state(n * 5 + 1, "ready"))
    ]

    lines = shown(*falls, state(200.0, "reconnecting", "no-pods"), state(203.0, "ready"))

    assert lines == [
        "litellm is reconnecting: tunnel-lost.",
        "litellm is ready again after 1.0 s.",
        "litellm is reconnecting: tunnel-lost.",
        "litellm is ready again after 1.0 s.",
        "litellm is flapping: 3 outages within 10s, the last one: tunnel-lost;"
        " until it stays up, only other causes are shown.",
        "litellm is ready again, and stays so.",
        "litellm is reconnecting: no-pods.",
        "litellm is ready again after 3.0 s.",
    ]


def test_each_forward_has_incidents_of_its_own() -> None:
    other = state(1.0, "reconnecting", "no-pods")
    other["forward"], other["message"] = "other", "other is reconnecting."

    lines = shown(
        state(0.0, "reconnecting", "no-pods"),
        other,
        state(2.0, "ready"),
    )

    assert lines == [
        "litellm is reconnecting: no-pods.",
        "other is reconnecting.",
        "litellm is ready again after 2.0 s.",
    ]


def test_a_daemon_that_starts_again_leaves_no_incident_open() -> None:
    started = event(5.0, "daemon-started", message="llmgwd started.")
    del started["forward"]

    lines = shown(state(0.0, "reconnecting", "no-pods"), started, state(6.0, "ready"))

    assert lines == [
        "litellm is reconnecting: no-pods.",
        "llmgwd started.",
        "litellm is ready.",
    ]


def test_a_rejected_configuration_is_told_once() -> None:
    lines = shown(
        event(0.0, "config-rejected", forward="", cause="config-invalid", message="A mistake."),
        event(0.0, "condition-raised", forward="", cause="config-invalid", message="A mistake."),
        event(3.0, "config-rejected", forward="", cause="config-invalid", message="Another."),
        event(9.0, "condition-cleared", forward="", cause="config-invalid", message="Resolved."),
    )

    assert lines == ["A mistake.", "Another.", "Resolved."]
