"""A forward's port: taken, let go, and bound before anything slow."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.load.traffic import get
from support.ports import free_port
from support.running_daemon import TWO_FORWARDS, running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster


def test_a_taken_port_is_told_with_its_owner_and_taken_over_when_free(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    other_port = free_port()
    config = TWO_FORWARDS.replace("OTHER", str(other_port))
    with (
        _hold_port(other_port) as owner,
        running(tmp_path, simulated_cluster.kubeconfig, config) as daemon,
    ):
        daemon.wait_for("ready")
        daemon.wait_for("blocked", "other")
        [condition] = daemon.forward("other")["conditions"]
        owner.kill()
        owner.wait()
        daemon.wait_for("ready", "other", within_s=5)

        assert condition["kind"] == "port-taken"
        assert f"(pid {owner.pid})" in condition["summary"]
        assert "python" in condition["summary"]
        assert get(other_port, "/health/liveliness")


def _hold_port(port: int) -> subprocess.Popen[bytes]:
    """Another program that listens there, on both addresses."""
    program = (
        "import socket, time\n"
        "kept = [socket.create_server((host, PORT), family=family) for host, family in"
        " (('127.0.0.1', socket.AF_INET), ('::1', socket.AF_INET6))]\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    ).replace("PORT", str(port))
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_stopped_forward_lets_its_port_go_and_a_started_one_has_it_again(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        daemon.client.stop("litellm")
        daemon.wait_for("stopped")
        with pytest.raises(ConnectionRefusedError):
            get(daemon.port, "/")
        daemon.client.start("litellm")
        daemon.wait_for("ready")

        assert get(daemon.port, "/health/liveliness")


def test_the_ports_are_bound_before_anything_slow_is_imported(tmp_path: Path) -> None:
    watch = (
        "import os, sys\n"
        "def hook(event, args):\n"
        "    if event == 'socket.bind' and isinstance(args[1], tuple):\n"
        "        print(' '.join(sys.modules), flush=True); os._exit(0)\n"
        "sys.addaudithook(hook)\n"
        "from llmgwd.__main__ import main\n"
        "main(['--config', sys.argv[1], '--socket', sys.argv[2]])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", watch, str(tmp_path / "none.toml"), str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        env={**os.environ, "LLMGW_STATE_DIR": str(tmp_path)},
    )

    slow = {"asyncio", "anyio", "aiohttp", "kubernetes_asyncio", "structlog", "msgspec", "ssl"}
    assert slow.isdisjoint(ended.stdout.split())
    assert "llmgwd.listening.listener" in ended.stdout.split()
