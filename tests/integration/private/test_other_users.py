"""A local port serves this user alone, however another one comes to it."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.handed_over import HandedOver
from support.load.traffic import Traffic, get, status_of
from support.ports import free_port
from support.running_daemon import DEFAULT, RunningDaemon, running
from support.strangers import (
    ask_as_nobody,
    is_reset,
    needs_root,
    other_namespace,
    sockets_of_nobody,
)

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

pytestmark = needs_root
HOSTS = ("127.0.0.1", "::1")
CROWD = 5000
SUPPORT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
SLOWER_S = 0.05


def url(host: str, port: int, path: str = "/health/liveliness") -> str:
    return f"http://{authority(host)}:{port}{path}"


def authority(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def test_another_user_is_reset_on_both_addresses_and_counted(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")

        for host in HOSTS:
            assert is_reset(ask_as_nobody(url(host, daemon.port)))
            assert status_of(get(daemon.port, "/health/liveliness", host=host)) == 200

        daemon.wait_until(lambda: daemon.forward()["counters"]["refused"] >= 1, "are counted")
        [event] = [each for each in daemon.events() if each["kind"] == "clients-refused"]
        assert "of user nobody" in event["message"]


def test_another_user_that_is_allowed_and_anyone_are_served(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    config = f'{DEFAULT}allow = ["nobody"]\n'
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        assert "I'm alive" in ask_as_nobody(url("127.0.0.1", daemon.port)).stdout
        with sockets_of_nobody():
            theirs = socket.create_connection(("127.0.0.1", daemon.port), timeout=20)
        ours = socket.create_connection(("127.0.0.1", daemon.port), timeout=20)
        for kept in (theirs, ours):
            assert ask_on(kept).startswith(b"HTTP/1.1 200")

        daemon.write_config(DEFAULT)
        daemon.client.reload()
        # A connection from before is looked at again.
        with theirs, ours:
            assert ask_on(ours).startswith(b"HTTP/1.1 200")
            with pytest.raises(ConnectionError):
                ask_on(theirs)
        assert is_reset(ask_as_nobody(url("127.0.0.1", daemon.port)))

        daemon.write_config(f'{DEFAULT}allow = "anyone"\n')
        daemon.client.reload()
        assert "I'm alive" in ask_as_nobody(url("127.0.0.1", daemon.port)).stdout


@pytest.mark.parametrize("host", HOSTS)
def test_metrics_have_users_of_their_own(
    tmp_path: Path, simulated_cluster: RemoteCluster, host: str
) -> None:
    port = free_port()
    config = f'{DEFAULT}\n[metrics]\nlisten = "{authority(host)}:{port}"\n'
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        assert status_of(get(port, "/metrics", host=host)) == 200
        refused = [ask_as_nobody(url(host, port, "/metrics")) for _ in range(3)]
        [event] = [each for each in daemon.events() if each["kind"] == "clients-refused"]
        daemon.end()
        daemon.write_config(f'{config}allow = ["nobody"]\n')
        daemon.launch()
        daemon.wait_for("ready")

        assert all(map(is_reset, refused))
        assert event["message"].startswith("1 connection was refused at the metrics port: 1 of")
        assert "llmgw" in ask_as_nobody(url(host, port, "/metrics")).stdout
        assert is_reset(ask_as_nobody(url(host, daemon.port)))


def test_a_socket_that_was_handed_over_is_as_private(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    daemon = RunningDaemon(tmp_path, simulated_cluster.kubeconfig, DEFAULT)
    with HandedOver(daemon.port) as held:
        daemon.popen = held.popen
        try:
            daemon.launch()
            daemon.wait_for("ready")

            assert is_reset(ask_as_nobody(url("127.0.0.1", daemon.port)))
            assert status_of(get(daemon.port, "/health/liveliness")) == 200
        finally:
            daemon.kill()


def test_another_network_namespace_is_another_machine(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with other_namespace() as other:
        places = (other.our_address, other.our_address6)
        listen = ", ".join(f'"{authority(place)}:PORT"' for place in places)
        config = DEFAULT.replace('"localhost:PORT"', f'["localhost:PORT", {listen}]')
        with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
            daemon.wait_for("ready")
            assert daemon.conditions() == ["exposed"]
            for place in places:
                theirs = url(place, daemon.port)
                assert is_reset(other.ask(theirs))
                family = socket.AF_INET6 if ":" in place else socket.AF_INET
                with socket.create_server(("", 0), family=family) as of_the_owner:
                    # The kernel, asked for a connection that it does not know, offers who listens
                    # at the port that it comes from.
                    port = of_the_owner.getsockname()[1]
                    assert is_reset(other.ask(theirs, "--local-port", str(port)))
                ours = ask(place, daemon.port, f"Host: {authority(place)}:{daemon.port}")
                assert ours.startswith(b"HTTP/1.1 200")

            daemon.write_config(f'{config}allow = "anyone"\n')
            daemon.client.reload()
            for place in places:
                theirs = url(place, daemon.port)
                assert "I'm alive" in other.ask(theirs).stdout
                assert "HTTP/1.1 403" in other.ask(theirs, "-H", "Host: evil.example").stdout


def ask_on(kept: socket.socket) -> bytes:
    kept.sendall(b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return kept.recv(65536)


def ask(host: str, port: int, *fields: str) -> bytes:
    lines = ["GET /health/liveliness HTTP/1.1", *fields, "Connection: close", "", ""]
    with socket.create_connection((host, port), timeout=20) as client:
        client.sendall("\r\n".join(lines).encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


def seconds_of_the_daemon(port: int) -> float:
    """How long a request takes that it answers itself, route or not: one without a Host."""
    began = time.perf_counter()
    assert ask("127.0.0.1", port).startswith(b"HTTP/1.1 400")
    return time.perf_counter() - began


def slow_ones(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=10)[-1]


@pytest.mark.quiet
def test_in_an_outage_a_crowd_of_another_user_takes_no_place_and_no_time_of_the_owner(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        simulated_cluster.faults.scale(replicas=0)
        daemon.wait_for("reconnecting")
        words = [sys.executable, "-m", "support.crowd", str(daemon.port), str(CROWD)]
        with Traffic(daemon.port, rate=20) as traffic:
            alone = [seconds_of_the_daemon(daemon.port) for _ in range(100)]
            among_them = []
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=SUPPORT) as crowd:
                while crowd.poll() is None:
                    among_them.append(seconds_of_the_daemon(daemon.port))
                assert crowd.stdout is not None
                resets = int(crowd.stdout.read())
            held = daemon.forward()["held"]
            simulated_cluster.faults.scale(replicas=2)
            daemon.wait_for("ready")
            # On a fast machine all that takes less than a second.
            enough_by = time.monotonic() + 10
            while len(traffic.outcomes) < 20 and time.monotonic() < enough_by:
                time.sleep(0.01)

        assert resets == CROWD
        assert slow_ones(among_them) - slow_ones(alone) < SLOWER_S
        assert held <= len(traffic.outcomes)
        assert set(traffic.counts) == {"ok"}
        assert len(traffic.outcomes) >= 20
        events = [each for each in daemon.events() if each["kind"] == "clients-refused"]
        assert daemon.forward()["counters"]["refused"] <= CROWD
        assert 1 <= len(events) <= 2
