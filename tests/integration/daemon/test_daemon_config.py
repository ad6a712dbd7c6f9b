"""What a daemon follows when its kubeconfig or its own configuration changes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from llmgwsim.remote import cluster_in_thread
from support.load.traffic import Traffic, get
from support.ports import free_port
from support.running_daemon import DEFAULT, TWO_FORWARDS, running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster


def test_a_kubeconfig_of_another_cluster_is_followed(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(simulated_cluster.kubeconfig.read_bytes())
    with (
        cluster_in_thread() as elsewhere,
        running(tmp_path, kubeconfig) as daemon,
    ):
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            time.sleep(0.3)
            elsewhere.write_kubeconfig(kubeconfig, context="elsewhere")
            daemon.wait_until(lambda: "target-changed" in daemon.kinds(), "told")
            daemon.wait_until(lambda: elsewhere.faults.seen(), "led there")

        assert set(traffic.counts) == {"ok"}
        assert daemon.forward()["routes"][0]["context"] == "elsewhere"


def test_a_pinned_context_is_not_left_for_another_clusters_kubeconfig(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(simulated_cluster.kubeconfig.read_bytes())
    with (
        cluster_in_thread() as elsewhere,
        running(tmp_path, kubeconfig, DEFAULT + 'context = "demo"\n') as daemon,
    ):
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            elsewhere.write_kubeconfig(kubeconfig, context="elsewhere")
            daemon.wait_until(lambda: daemon.conditions() == ["context-missing"], "said so")
            time.sleep(0.5)

        assert set(traffic.counts) == {"ok"}
        assert elsewhere.faults.seen() == {}
        assert daemon.state() == "degraded"


def test_a_reload_keeps_the_streams_of_what_did_not_change(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    other, third = free_port(), free_port()
    config = TWO_FORWARDS.replace("OTHER", str(other))
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as stream:
            stream.sendall(b"GET /sse?n=100&ms=50 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.recv(4096)
            changed = config.replace(str(other), str(third)).replace(
                'name = "litellm"', 'name = "litellm"\nhold = "5s"'
            )
            daemon.write_config(changed)
            daemon.wait_for("ready", "other")
            daemon.wait_until(lambda: str(third) in str(daemon.forward("other")["listen"]), "moved")
            came = b""
            while b"data: 99" not in came:
                chunk = stream.recv(65536)
                assert chunk
                came += chunk

        with pytest.raises(ConnectionRefusedError):
            get(other, "/")
        assert "config-reloaded" in daemon.kinds()


def test_a_reload_with_a_mistake_changes_nothing_and_says_so(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        daemon.write_config(DEFAULT + "port = 70000\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_until(lambda: daemon.status()["config"]["error"], "said so")
        status = daemon.status()
        daemon.write_config(DEFAULT)
        daemon.wait_until(lambda: daemon.status()["conditions"] == [], "cured")

        assert status["config"]["error"] == (
            f"{daemon.config_path}:5: forward[1].port is 70000; "
            "allowed: a port from 1 to 65535, or the name of a port in quotes"
        )
        assert [each["kind"] for each in status["conditions"]] == ["config-invalid"]
        assert status["forwards"][0]["state"] == "ready"


BAD_KUBECONFIGS = {
    "clusters: [": "kubeconfig-invalid",
    "- not\n- a kubeconfig\n": "kubeconfig-invalid",
}


@pytest.mark.parametrize("text", BAD_KUBECONFIGS)
def test_a_kubeconfig_that_is_none_is_one_line_and_heals(
    text: str, tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(text)
    with running(tmp_path, kubeconfig) as daemon:
        daemon.wait_for("blocked")
        [condition] = daemon.forward()["conditions"]
        kubeconfig.write_bytes(simulated_cluster.kubeconfig.read_bytes())
        daemon.wait_for("ready", within_s=5)

        assert condition["kind"] == BAD_KUBECONFIGS[text]
        assert str(kubeconfig) in condition["summary"]
        assert "\n" not in condition["summary"]


def test_a_mistake_at_the_start_is_one_line_and_an_exit_status(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[[forward]]\nhold = "soon"\n')
    ended = subprocess.run(
        [sys.executable, "-m", "llmgwd", "--config", str(file), "--socket", str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ended.stderr == (
        f'llmgwd: {file}:2: forward[1].hold is "soon"; '
        'allowed: a duration such as "30s", "500ms" or "2m", at most 24h\n'
    )
    assert ended.returncode == 78
