"""A local port serves this user alone, however another one comes to it."""

from __future__ import annotations

import socket
import statistics
import threading
import time
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
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster

pytestmark = needs_root
HOSTS = ("127.0.0.1", "::1")
CROWD = 5000
SLOWER_S = 0.05


def url(host: str, port: int, path: str = "/health/liveliness") -> str:
    return f"http://[{host}]:{port}{path}" if ":" in host else f"http://{host}:{port}{path}"


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

        daemon.write_config(DEFAULT)
        daemon.client.reload()
        assert is_reset(ask_as_nobody(url("127.0.0.1", daemon.port)))

        daemon.write_config(f'{DEFAULT}allow = "anyone"\n')
        daemon.client.reload()
        assert "I'm alive" in ask_as_nobody(url("127.0.0.1", daemon.port)).stdout


@pytest.mark.parametrize("host", HOSTS)
def test_metrics_have_users_of_their_own(
    tmp_path: Path, simulated_cluster: RemoteCluster, host: str
) -> None:
    port = free_port()
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    config = f'{DEFAULT}\n[metrics]\nlisten = "{address}"\n'
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
        config = DEFAULT.replace(
            '"localhost:PORT"', f'["localhost:PORT", "{other.our_address}:PORT"]'
        )
        with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
            daemon.wait_for("ready")
            theirs = url(other.our_address, daemon.port)

            assert is_reset(other.ask(theirs))
            with socket.create_server(("0.0.0.0", 0)) as of_the_owner:
                # The kernel, asked for that connection, offers who listens at its source's port.
                port = of_the_owner.getsockname()[1]
                assert is_reset(other.ask(theirs, "--local-port", str(port)))
            assert daemon.conditions() == ["exposed"]
            head = f"Host: {other.our_address}:{daemon.port}"
            ours = ask(other.our_address, daemon.port, head)
            assert ours.startswith(b"HTTP/1.1 200")

            daemon.write_config(f'{config}allow = "anyone"\n')
            daemon.client.reload()
            assert "I'm alive" in other.ask(theirs).stdout
            assert "HTTP/1.1 403" in other.ask(theirs, "-H", "Host: evil.example").stdout


def ask(host: str, port: int, *fields: str) -> bytes:
    lines = ["GET /health/liveliness HTTP/1.1", *fields, "Connection: close", "", ""]
    with socket.create_connection((host, port), timeout=20) as client:
        client.sendall("\r\n".join(lines).encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


class Crowd(threading.Thread):
    """Connections of another user, one after the other, each held open until it is reset."""

    def __init__(self, port: int, count: int) -> None:
        super().__init__(daemon=True)
        self.resets = 0
        self._port = port
        self._count = count

    def run(self) -> None:
        with sockets_of_nobody():
            for _ in range(self._count // 50):
                clients = [socket.socket() for _ in range(50)]
                for client in clients:
                    self.resets += self._is_reset_at_once(client)
                for client in clients:
                    with client:
                        self.resets += self._is_reset(client)

    def _is_reset_at_once(self, client: socket.socket) -> bool:
        client.settimeout(30)
        try:
            client.connect(("127.0.0.1", self._port))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        except (ConnectionResetError, BrokenPipeError):
            client.close()
            return True
        return False

    def _is_reset(self, client: socket.socket) -> bool:
        if client.fileno() < 0:
            return False
        try:
            client.recv(1)
        except ConnectionResetError:
            return True
        return False


@pytest.mark.quiet
def test_a_crowd_of_another_user_takes_no_place_in_the_hold(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        simulated_cluster.faults.scale(replicas=0)
        daemon.wait_for("reconnecting")
        crowd = Crowd(daemon.port, CROWD)
        with Traffic(daemon.port, rate=100) as traffic:
            crowd.start()
            crowd.join(60)
            assert not crowd.is_alive()
            held = daemon.forward()["held"]
            simulated_cluster.faults.scale(replicas=2)
            daemon.wait_for("ready")

        assert crowd.resets == CROWD
        assert held <= len(traffic.outcomes)
        assert set(traffic.counts) == {"ok"}
        assert len(traffic.outcomes) >= 20
        refused = daemon.forward()["counters"]["refused"]
        events = [each for each in daemon.events() if each["kind"] == "clients-refused"]
        assert refused <= CROWD
        assert 1 <= len(events) <= 2


@pytest.mark.quiet
def test_a_crowd_of_another_user_makes_no_request_of_the_owner_wait(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        alone_s = statistics.median(timed(daemon.port) for _ in range(40))
        crowd = Crowd(daemon.port, CROWD)
        crowd.start()
        among_them = []
        while crowd.is_alive() and len(among_them) < 500:
            among_them.append(timed(daemon.port))
        crowd.join(60)

        assert len(among_them) >= 10
        assert statistics.median(among_them) - alone_s < SLOWER_S


def timed(port: int) -> float:
    began = time.perf_counter()
    assert status_of(get(port, "/whoami")) == 200
    return time.perf_counter() - began
