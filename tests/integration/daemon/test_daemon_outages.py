"""The daemon as a whole against a cluster that fails: held, carried on, and told as it is."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.load.traffic import LOSSES, Traffic, get, status_of
from support.running_daemon import DEFAULT, RunningDaemon, running

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster


def test_it_serves_with_no_more_than_a_kubeconfig(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        answer = get(daemon.port, "/health/liveliness")
        daemon.wait_for("ready")
        forward = daemon.forward()

        assert answer.endswith(b"I'm alive!\"")
        assert get(daemon.port, "/health/liveliness", host="::1") != b""
        assert forward["conditions"] == []
        assert forward["gateway"]["healthy"] is True
        assert forward["routes"][0]["way"] == "spdy"
        assert [pod["ready"] for pod in forward["routes"][0]["pods"]] == [True, True]
        assert forward["listen"] == [f"127.0.0.1:{daemon.port}", f"[::1]:{daemon.port}"]


def test_a_rollout_under_load_fails_nobody(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            time.sleep(1)
            simulated_cluster.faults.roll(wait=True)
            time.sleep(1)

        assert set(traffic.counts) == {"ok"}
        assert traffic.slowest_s < 2.0
        assert len(simulated_cluster.faults.seen()) == len(traffic.outcomes)
        assert set(simulated_cluster.faults.seen().values()) == {1}


def test_requests_that_come_while_all_pods_are_gone_wait_for_the_next(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        simulated_cluster.faults.scale(replicas=0)
        daemon.wait_for("reconnecting")
        with Traffic(daemon.port, rate=10) as traffic:
            daemon.wait_until(lambda: daemon.forward()["held"] >= 20, "held 20")
            conditions = daemon.conditions()
            simulated_cluster.faults.scale(replicas=1)
            daemon.wait_for("ready")

        assert set(traffic.counts) == {"ok"}
        assert conditions == ["no-pods"]
        assert daemon.conditions() == []
        up = [event for event in daemon.events() if event["kind"] == "route-up"][-1]
        assert up["held"] >= 20
        assert up["outage_s"] > 1


def test_it_starts_before_the_kubeconfig_exists(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    kubeconfig = tmp_path / "later" / "kube" / "config"
    with running(tmp_path, kubeconfig) as daemon:
        daemon.wait_for("blocked")
        assert daemon.conditions() == ["kubeconfig-missing"]
        with Traffic(daemon.port, rate=5) as traffic:
            daemon.wait_until(lambda: daemon.forward()["held"] >= 2, "held 2")
            kubeconfig.parent.mkdir(parents=True)
            kubeconfig.write_bytes(simulated_cluster.kubeconfig.read_bytes())
            daemon.wait_for("ready", within_s=5)

        assert set(traffic.counts) == {"ok"}


def test_it_starts_before_the_api_server_is_up(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.api_down()
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("reconnecting")
        assert daemon.conditions() == ["api-server-unreachable"]
        with Traffic(daemon.port, rate=5) as traffic:
            daemon.wait_until(lambda: daemon.forward()["held"] >= 2, "held 2")
            simulated_cluster.faults.api_up()
            daemon.wait_for("ready")

        assert set(traffic.counts) == {"ok"}


HOLD_SHORT = DEFAULT + 'hold = "1s"\nhold_limit = 3\n'


def test_after_the_hold_a_client_is_told_why_in_its_own_dialect(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.scale(replicas=0)
    with running(tmp_path, simulated_cluster.kubeconfig, HOLD_SHORT) as daemon:
        daemon.wait_until(lambda: daemon.conditions() == ["no-pods"], "no pods")
        began = time.monotonic()
        openai = get(daemon.port, "/v1/chat/completions")
        anthropic = get(daemon.port, "/v1/messages")

        assert time.monotonic() - began > 1.9
        for answer in (openai, anthropic):
            assert status_of(answer) == 503
            assert b"\r\nRetry-After: " in answer
        said = json.loads(openai.partition(b"\r\n\r\n")[2])["error"]
        assert said["code"] == "no-pods"
        assert "service/litellm has no pods" in said["message"]
        assert json.loads(anthropic.partition(b"\r\n\r\n")[2])["type"] == "error"
        assert daemon.forward()["counters"]["hold_expired"] == 2
        daemon.wait_until(lambda: "hold-expired" in daemon.kinds(), "told")


def test_beyond_the_hold_limit_the_answer_comes_at_once(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    config = DEFAULT + 'hold = "30s"\nhold_limit = 3\n'
    simulated_cluster.faults.scale(replicas=0)
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_until(lambda: daemon.conditions() == ["no-pods"], "no pods")
        with Traffic(daemon.port, rate=20) as traffic:
            daemon.wait_until(lambda: len(traffic.outcomes) >= 10, "answered at once")
            held = daemon.forward()["held"]
            simulated_cluster.faults.scale(replicas=1)
            daemon.wait_for("ready")

        assert held == 3
        assert set(traffic.counts) == {"ok", "503"}


@pytest.mark.parametrize("graceful", [True, False])
def test_a_deleted_pod_costs_only_what_was_in_it(
    graceful: bool, tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            time.sleep(0.5)
            simulated_cluster.faults.delete_pod(graceful=graceful)
            time.sleep(1.5)

        # Ungraceful: those whose bytes were in the pod when it died cannot be sent again.
        assert traffic.lost <= (0 if graceful else 3)
        assert set(traffic.counts) <= {"ok", *LOSSES}
        assert set(simulated_cluster.faults.seen().values()) == {1}


def test_sigterm_lets_a_stream_finish_and_leaves_nothing(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        with _Streaming(daemon, "/sse?n=20&ms=100") as stream:
            daemon.signal(signal.SIGTERM)
            body = stream.rest()
            status = daemon.end()

        assert b"data: [DONE]" in body
        assert status == 0
        assert not Path(daemon.socket).exists()


def test_a_second_sigterm_ends_at_once(tmp_path: Path, simulated_cluster: RemoteCluster) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        with _Streaming(daemon, "/sse?n=600&ms=100"):
            daemon.signal(signal.SIGTERM)
            daemon.wait_until(lambda: "daemon-stopping" in daemon.log_events(), "draining")
            daemon.signal(signal.SIGTERM)
            assert daemon.process is not None
            status = daemon.process.wait(5)

        assert status == 0
        assert not Path(daemon.socket).exists()


class _Streaming:
    """One request whose answer has begun and goes on."""

    def __init__(self, daemon: RunningDaemon, path: str) -> None:
        import socket

        self._socket = socket.create_connection(("127.0.0.1", daemon.port), timeout=20)
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        self._came = self._socket.recv(65536)
        while b"data:" not in self._came:
            more = self._socket.recv(65536)
            assert more, self._came
            self._came += more

    def rest(self) -> bytes:
        while chunk := self._socket.recv(65536):
            self._came += chunk
        return self._came

    def __enter__(self) -> _Streaming:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
