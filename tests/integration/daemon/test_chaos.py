"""Each fault alone and seeded storms of them: never refused, nothing lost or doubled, no lies.

A storm is replayed by LLMGW_CHAOS_SEED, and made longer by LLMGW_CHAOS_STORMS (how many).
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.chaos import FAULTS, Fault, Holdings, Step, Watcher, lies, play, sequence
from support.load.traffic import LOSSES, Traffic
from support.running_daemon import DEFAULT, RunningDaemon, running

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

STORM = 50
# In a storm an outage lasts longer than the usual number of places does at this rate.
HELD = DEFAULT + "hold_limit = 2000\n"
# Tunnels that are kept warm, and connections that linger in their last second.
SPARE_DESCRIPTORS = 24
# Requests and dials that happen to be under way when we look.
SPARE_TASKS = 8
# What a storm leaves in the allocator; a leak of 25 KiB a connection would be more.
SPARE_BYTES = 32 * 1024 * 1024


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    with running(tmp_path, simulated_cluster.kubeconfig, HELD) as started:
        started.wait_for("ready")
        yield started


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_one_fault_alone(
    fault: Fault, daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    with Watcher(daemon) as watcher, Traffic(daemon.port) as traffic:
        hidden = play([Step(fault, 1.0, 0.0)], simulated_cluster.faults)
        _wait_until_whole(daemon)
        time.sleep(0.5)

    _judge(watcher, traffic, simulated_cluster, hidden, cuts=fault.cuts)


def _seeds() -> list[int]:
    chosen = os.environ.get("LLMGW_CHAOS_SEED")
    if chosen:
        return [int(seed) for seed in chosen.split(",")]
    return [random.randrange(10**6) for _ in range(int(os.environ.get("LLMGW_CHAOS_STORMS", "1")))]


def test_storms_of_faults(
    daemon: RunningDaemon,
    simulated_cluster: RemoteCluster,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert daemon.process is not None
    before = Holdings.of(daemon)
    for seed in _seeds():
        with capsys.disabled():
            print(f"\nLLMGW_CHAOS_SEED={seed}", end=" ", flush=True)
        simulated_cluster.faults.clear_seen()
        with Watcher(daemon) as watcher, Traffic(daemon.port) as traffic:
            hidden = play(sequence(seed, STORM), simulated_cluster.faults)
            _wait_until_whole(daemon)
            time.sleep(0.5)
        _judge(watcher, traffic, simulated_cluster, hidden, cuts=True)
        assert daemon.process.poll() is None

    try:
        daemon.wait_until(lambda: _has_let_go(daemon, before), "let go", within_s=40)
    except AssertionError:
        after = Holdings.of(daemon)
        pytest.fail(f"{before} has become {after}: {daemon.forward()['routes'][0]['tunnels']}")


def _wait_until_whole(daemon: RunningDaemon) -> None:
    """Until it is ready; a person's cure (a verb given back) is told to it as a person would."""
    try:
        daemon.wait_for("ready", within_s=12)
    except AssertionError:
        if daemon.state() != "blocked":
            raise
        daemon.client.restart("litellm")
        daemon.wait_for("ready", within_s=5)


def _judge(
    watcher: Watcher,
    traffic: Traffic,
    cluster: RemoteCluster,
    hidden: list[tuple[float, float]],
    *,
    cuts: bool,
) -> None:
    counts = traffic.counts
    assert watcher.refusals == []
    told = [event for event in watcher.daemon.events() if event["kind"] == "connection-cut"]
    assert set(counts) <= ({"ok", *LOSSES} if cuts else {"ok"}), (counts, told)
    assert counts["ok"] > traffic.lost, counts
    doubled = {name: times for name, times in cluster.faults.seen().items() if times > 1}
    assert doubled == {}
    assert lies(watcher, traffic, hidden) == []


def _has_let_go(daemon: RunningDaemon, before: Holdings) -> bool:
    after = Holdings.of(daemon)
    forward = daemon.forward()
    return (
        forward["held"] == forward["streams"] == 0
        and after.descriptors <= before.descriptors + SPARE_DESCRIPTORS
        and after.threads <= before.threads + 4
        and after.tasks <= before.tasks + SPARE_TASKS
        and after.resident_bytes <= before.resident_bytes + SPARE_BYTES
    )
