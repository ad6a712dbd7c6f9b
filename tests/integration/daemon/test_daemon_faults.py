"""What breaks a forward beside its pods: networks, API servers, sleep, descriptors."""

from __future__ import annotations

import resource
import signal
import socket
import time
from typing import TYPE_CHECKING

from support.load.traffic import LOSSES, Traffic, get
from support.running_daemon import DEFAULT, RunningDaemon, running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster


def test_a_black_hole_is_noticed_and_the_path_used_again_when_it_is_back(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    config = DEFAULT + "hold_limit = 2000\n"
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            time.sleep(0.5)
            simulated_cluster.faults.black_hole()
            daemon.wait_until(lambda: daemon.state() != "ready", "noticed", within_s=12)
            simulated_cluster.faults.restore(cut=True)
            back = time.monotonic()
            daemon.wait_for("ready", within_s=5)
            time.sleep(1)

        after = traffic.between(back, back + 60)
        assert set(after) == {"ok"}
        assert set(traffic.counts) <= {"ok", *LOSSES}
        # Those sent before a reply was late; who comes later waits for a path that answers.
        assert traffic.lost <= 24


def test_an_api_server_that_ends_gracefully_fails_nobody(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            simulated_cluster.faults.api_down(graceful=True)
            time.sleep(3)
            simulated_cluster.faults.api_up()
            time.sleep(2)

        assert set(traffic.counts) == {"ok"}
        assert traffic.slowest_s < 2


def test_an_api_server_that_is_killed_is_waited_for(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        with Traffic(daemon.port, rate=20) as traffic:
            time.sleep(0.5)
            simulated_cluster.faults.api_down()
            down = time.monotonic()
            daemon.wait_for("reconnecting", within_s=3)
            conditions = daemon.conditions()
            # Long enough for waits that, alone, would outlast what is allowed below.
            time.sleep(6)
            simulated_cluster.faults.api_up()
            daemon.wait_for("ready", within_s=4)

        assert conditions == ["api-server-unreachable"]
        assert set(traffic.between(down, time.monotonic())) == {"ok"}
        assert traffic.lost <= 3


def test_a_daemon_that_was_stopped_while_its_tunnels_died_serves_soon_after(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        daemon.signal(signal.SIGSTOP)
        simulated_cluster.faults.black_hole(new=False)
        time.sleep(6)
        daemon.signal(signal.SIGCONT)
        began = time.monotonic()
        answer = get(daemon.port, "/health/liveliness", timeout_s=10)
        took_s = time.monotonic() - began

        assert answer.endswith(b"I'm alive!\"")
        # The promise itself, not a measurement: serving within three seconds of waking.
        assert took_s < 3
        daemon.wait_until(lambda: "woke-up" in daemon.kinds(), "told")


def test_out_of_descriptors_it_lives_says_so_and_recovers(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))

    daemon = RunningDaemon(tmp_path, simulated_cluster.kubeconfig, DEFAULT)
    try:
        daemon.launch(preexec=lower)
        daemon.wait_for("ready")
        clients = []
        for _ in range(150):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", daemon.port))
            clients.append(client)
        daemon.wait_until(lambda: "condition-raised" in daemon.log_events(), "said so")
        for client in clients:
            client.close()
        daemon.wait_until(lambda: get(daemon.port, "/health/liveliness"), "serves again")
        daemon.wait_until(lambda: daemon.status()["conditions"] == [], "no more")
        causes = [event.get("cause") for event in daemon.events()]
    finally:
        daemon.kill()

    assert "descriptors-exhausted" in causes
