"""llmgwctl usage through a forward: with a record, and for each reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.called import call
from support.running_daemon import DEFAULT, RunningDaemon, running

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

MINE = "sk-my-own-virtual-key"


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    """Its key is a virtual one, from a file."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(f"{MINE}\n")
    simulated_cluster.faults.set_gateway(has_database=True)
    simulated_cluster.faults.add_key(key=MINE, alias="laptop", spend=6.2, max_budget=10.0)
    config = f'{DEFAULT}\n[gateway]\nkey = {{ file = "{key}" }}\n'
    with running(tmp_path, simulated_cluster.kubeconfig, config) as running_daemon:
        running_daemon.wait_for("ready")
        yield running_daemon


def test_a_keys_budget_and_days_are_shown(daemon: RunningDaemon) -> None:
    ended = call(daemon, "usage")

    assert ended.returncode == 0, ended.stderr
    budget, total, *_ = ended.stdout.splitlines()
    assert budget.startswith("laptop  ████████████░░░░░░░░ 62%  $6.20 of $10.00")
    assert " requests, " in total


@pytest.mark.parametrize("grouping", ["model", "day", "key"])
def test_json_adds_up(daemon: RunningDaemon, grouping: str) -> None:
    ended = call(daemon, "usage", "--json", "--by", grouping, "--since", "30d")

    found = json.loads(ended.stdout)
    spends = [group["spend"] for group in found["groups"]]
    assert found["total"]["spend"] == pytest.approx(sum(spends))
    assert found["budget"]["limit"] == 10.0
    assert MINE not in ended.stdout


def test_no_database_is_said_plainly(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    master = "sk-demo-master-key"
    (daemon.config_path.parent / "key").write_text(master)
    simulated_cluster.faults.set_gateway(has_database=False)

    ended = call(daemon, "usage")

    assert ended.returncode == 1
    assert "the gateway has no database: it keeps no record of spend" in ended.stderr
    assert master not in ended.stderr


def test_the_master_key_has_no_record_of_its_own(daemon: RunningDaemon) -> None:
    (daemon.config_path.parent / "key").write_text("sk-demo-master-key")

    own, everybodys = call(daemon, "usage"), call(daemon, "usage", "--all-keys")

    assert own.returncode == 1
    assert "master key, which has no record of its own" in own.stderr
    assert everybodys.returncode == 0


def test_a_rejected_key_asks_for_a_person(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.add_key(key=MINE, alias="laptop", is_expired=True)

    ended = call(daemon, "usage")

    assert ended.returncode == 4
    assert "the key has expired" in ended.stderr


def test_a_key_over_its_budget_still_sees_it(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.add_key(key=MINE, alias="laptop", spend=12.5, max_budget=10.0)

    ended = call(daemon, "usage")

    assert ended.returncode == 0
    assert "125%  $12.50 of $10.00" in ended.stdout
    assert "no calls in this time" not in ended.stdout
