"""What status, doctor and clients are told of each fault, and that nothing of it stays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from faults import TABLE
from scene import Scene
from watched import Watched, examined

from llmgwctl.show.incidents import Incidents
from llmgwctl.wire import CheckState
from support.client.stub_shell import Shell
from support.load.traffic import Traffic
from support.running_daemon import DEFAULT, running

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from row import Row

    from llmgwctl.wire import CheckStatus, Event
    from llmgwsim.remote import RemoteCluster

CONFIG = DEFAULT + 'hold = "2s"\n'
# On top of what is promised, for a machine that does other things as well.
SLACK_S = 8.0
# Of the doctor; what it took is printed. A machine that does other things may take five times it.
DOCTOR_S = 15.0
SLOWER = 5
STAYS_S = 1.5


def _require_own_cluster(remedy: str, shell: Shell, kubeconfig: str) -> None:
    """What begins as a command of kubectl is one, and for the cluster that it is about."""
    if remedy.startswith("kubectl"):
        program, *words = shell.paste(remedy)[0]
        assert (program, words[:2]) == ("kubectl", ["--kubeconfig", kubeconfig]), remedy
        assert words[2] == "--context", remedy


def _told(events: Iterable[Event]) -> list[str]:
    """What `llmgwctl events` says of them."""
    incidents = Incidents()
    return [shown.get("message", "") for event in events for shown in incidents.feed(event)]


def _found(checks: list[CheckStatus], row: Row) -> list[str]:
    """What the doctor says of the fault: in the one check that fails, or in those that warn."""
    if row.check is None:
        found = [each for each in checks if each["state"] == CheckState.WARNING]
    else:
        found = [c for c in checks if c["state"] in (CheckState.FAILED, CheckState.NEEDS_PERSON)]
        # One fault, one layer; the others are skipped for its sake.
        assert {each["check"] for each in found} == {row.check}, found
    return [f"{each['found']} {each['cause']}" for each in found]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name.replace(" ", "-"))
def test_a_fault_is_shown_as_what_it_is(
    row: Row, tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.set_role(role=row.role)
    with running(tmp_path, simulated_cluster.kubeconfig, CONFIG) as daemon:
        daemon.wait_for("ready")
        scene = Scene(tmp_path, simulated_cluster, daemon)
        with Traffic(daemon.port, rate=10) as traffic, Watched(daemon) as watched:
            time.sleep(0.5)
            began = time.monotonic()
            row.begin(scene)
            shown = watched.first(
                lambda each: each.state == row.state and each.shows(row.condition, row.cause),
                began,
                row.within_s + SLACK_S,
            )
            conditions = daemon.forward()["conditions"] + daemon.status()["conditions"]
            doctor_s, checks = examined(daemon)
            row.end(scene)
            ended = time.monotonic()
            well = watched.first(
                lambda each: each.state == "ready" and not each.kinds, ended, 10 + SLACK_S
            )
            time.sleep(STAYS_S)
        events = daemon.events()

    print(
        f"\n{row.name}: shown after {shown.at - began:.2f} s (promised {row.within_s:g} s),"
        f" over {well.at - ended:.2f} s after its end, doctor {doctor_s:.2f} s"
        f" (promised {DOCTOR_S:g} s), clients {dict(traffic.counts)}\n  {watched.story(began)}"
    )
    gaps = watched.without(row.condition, shown.at, ended) if row.is_steady else []
    blamed = sorted(watched.kinds(began) & row.never)
    stale = sorted(watched.kinds(well.at))
    raised = sorted(each["cause"] for each in events if each["kind"] == "condition-raised")
    cleared = sorted(each["cause"] for each in events if each["kind"] == "condition-cleared")
    told = _told(events)
    # A condition never goes away while its cause stands.
    assert (blamed, gaps, stale) == ([], [], []), watched.story(began)
    assert set(traffic.counts) <= row.clients
    assert raised == cleared
    assert any("is ready again after" in line for line in told) is (row.state != "ready"), told
    assert doctor_s < DOCTOR_S * SLOWER
    for remedy in (each["remedy"] for each in [*conditions, *checks]):
        _require_own_cluster(remedy, Shell(tmp_path / "shell"), str(simulated_cluster.kubeconfig))
    found = _found(checks, row)
    assert any(row.cause.lower() in each.lower() for each in found), found
