"""Real clients on kept connections, with every retry off, lose nothing that was not under way.

All kinds of clients run together through each fault. What a pod was working on when it was killed
is lost, and nothing else: no request is lost because its connection was kept, and no request is
sent to a pod twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

from llmgwsim.options import Options
from llmgwsim.remote import cluster_in_thread
from support.handed_over import HandedOver
from support.load.kept_clients import KINDS
from support.load.kept_load import NODE, NODE_KINDS, Group, kept_load
from support.running_daemon import RunningDaemon, running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster
    from support.load.ledger import Ledger

ONE_ADDRESS = """
[[forward]]
name = "litellm"
listen = "127.0.0.1:PORT"
"""
WITH_FALLBACK = ONE_ADDRESS + 'fallback = "{url}"\n'
CALM_S = 2.0


@pytest.fixture(scope="module")
def kinds() -> Sequence[str]:
    """Every kind of client that this machine has; CI has them all."""
    if NODE is None and os.environ.get("CI") == "true":
        pytest.fail("no node on PATH")
    return (*KINDS, *(NODE_KINDS if NODE else ()))


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    with running(tmp_path, simulated_cluster.kubeconfig, ONE_ADDRESS) as started:
        started.wait_for("ready")
        yield started


def busy(kinds: Sequence[str]) -> list[Group]:
    return [Group(kind, 2, (0.2, 0.3)) for kind in kinds]


def assert_all_served(ledger: Ledger, kinds: Sequence[str], *clusters: RemoteCluster) -> None:
    """Every client was served all the time, and no request reached a gateway twice."""
    assert not ledger.lost, ledger.summary()
    assert {fate.client for fate in ledger.fates} == set(kinds)
    for cluster in clusters:
        doubled = {name: count for name, count in cluster.faults.seen().items() if count > 1}
        assert not doubled


def test_requests_sent_as_the_gateways_idle_time_ends(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster, kinds: Sequence[str]
) -> None:
    groups = [Group(kind, 6, (4.8, 5.3)) for kind in kinds]
    with kept_load(daemon.port, groups) as ledger:
        time.sleep(22)

    assert len(ledger.fates) > 3 * 6 * len(kinds)
    assert_all_served(ledger, kinds, simulated_cluster)


def test_a_rollout_of_every_pod(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster, kinds: Sequence[str]
) -> None:
    with kept_load(daemon.port, busy(kinds)) as ledger:
        time.sleep(CALM_S)
        simulated_cluster.faults.roll(wait=True)
        time.sleep(CALM_S)

    assert_all_served(ledger, kinds, simulated_cluster)


def test_killed_pods_lose_what_they_were_working_on_alone(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster, kinds: Sequence[str]
) -> None:
    killed_at = []
    with kept_load(daemon.port, busy(kinds)) as ledger:
        for pod in [each["name"] for each in simulated_cluster.faults.pods()]:
            time.sleep(CALM_S)
            killed_at.append(time.monotonic())
            simulated_cluster.faults.delete_pod(pod=pod, graceful=False)
        time.sleep(CALM_S)

    assert not ledger.lost_but_under_way(killed_at), ledger.summary()
    assert set(simulated_cluster.faults.seen().values()) == {1}


def test_an_outage_of_the_api_server(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster, kinds: Sequence[str]
) -> None:
    cut_at = []
    with kept_load(daemon.port, busy(kinds)) as ledger:
        time.sleep(CALM_S)
        cut_at.append(time.monotonic())
        simulated_cluster.faults.api_down()
        time.sleep(3)
        simulated_cluster.faults.api_up()
        daemon.wait_for("ready")
        time.sleep(CALM_S)

    # Killed, the API server takes with it what it was carrying.
    assert not ledger.lost_but_under_way(cut_at), ledger.summary()
    assert set(simulated_cluster.faults.seen().values()) == {1}
    assert ledger.longest_s > 2


def test_a_restart_of_the_daemon_on_a_socket_that_is_held_for_it(
    tmp_path: Path, simulated_cluster: RemoteCluster, kinds: Sequence[str]
) -> None:
    daemon = RunningDaemon(tmp_path, simulated_cluster.kubeconfig, ONE_ADDRESS)
    with HandedOver(daemon.port) as held:
        daemon.popen = held.popen
        try:
            daemon.launch()
            daemon.wait_for("ready")
            with kept_load(daemon.port, busy(kinds)) as ledger:
                time.sleep(CALM_S)
                assert daemon.end() == 0
                daemon.launch()
                daemon.wait_for("ready")
                time.sleep(CALM_S)
        finally:
            daemon.kill()

    assert_all_served(ledger, kinds, simulated_cluster)


def test_a_fail_over_to_the_url_and_back(
    tmp_path: Path, simulated_cluster: RemoteCluster, kinds: Sequence[str]
) -> None:
    cut_at = []
    with cluster_in_thread(Options(pods=1)) as elsewhere:
        config = WITH_FALLBACK.format(url=address_of_a_pod(elsewhere))
        with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
            daemon.wait_for("ready")
            with kept_load(daemon.port, busy(kinds)) as ledger:
                time.sleep(CALM_S)
                cut_at.append(time.monotonic())
                simulated_cluster.faults.api_down()
                daemon.wait_for("degraded")
                time.sleep(CALM_S)
                simulated_cluster.faults.api_up()
                daemon.wait_for("ready", within_s=60)
                time.sleep(CALM_S)
        served_elsewhere = elsewhere.faults.seen()

    assert not ledger.lost_but_under_way(cut_at), ledger.summary()
    assert set(served_elsewhere.values()) == {1}
    assert served_elsewhere.keys().isdisjoint(simulated_cluster.faults.seen())


def address_of_a_pod(cluster: RemoteCluster) -> str:
    """Where a pod's program is really served: what an ingress would lead to."""
    assert cluster.cluster is not None
    (pod,) = cluster.cluster.world.pods.values()
    assert pod.program is not None
    host, port = pod.program.address(4000) or ("", 0)
    return f"http://{host}:{port}"
