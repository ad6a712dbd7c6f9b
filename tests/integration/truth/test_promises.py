"""What a person is promised of a restart, of a port that is taken, and of a gateway under load."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from llmgwctl.wire import Exit
from support.called import call
from support.load.traffic import PATIENCE_S, get
from support.ports import free_port
from support.running_daemon import DEFAULT, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster

HOLDS_PORT = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("here", flush=True)
time.sleep(120)
"""


@contextlib.contextmanager
def another_program(port: int) -> Iterator[int]:
    """Have one listen at 127.0.0.1 alone; gives its pid."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_PORT, str(port)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        yield program.pid
        program.kill()


class Asked(threading.Thread):
    """One request in the background."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(daemon=True)
        self._port, self._path = port, path
        self.answer = b""
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.IncompleteReadError):
            self.answer = get(self._port, self._path, timeout_s=PATIENCE_S)


def test_a_restart_lets_streams_go_on_and_tells_each_pod_once(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        stream = Asked(daemon.port, "/sse?n=60&ms=100")
        daemon.wait_until(lambda: daemon.forward()["streams"] == 1, "the stream is carried")
        after = daemon.client.restart("litellm")
        daemon.wait_for("ready")
        simulated_cluster.faults.roll(wait=True)
        pods = {pod["name"] for pod in simulated_cluster.faults.pods()}
        daemon.wait_until(
            lambda: {pod["name"] for pod in daemon.forward()["routes"][0]["pods"]} >= pods, "seen"
        )
        stream.join(20)
        events = daemon.events()

    assert after["state"] == "reconnecting"
    assert stream.answer.count(b"data: ") == 61
    added = [event["pod"] for event in events if event["kind"] == "pod-added"]
    assert all(added.count(pod) == 1 for pod in pods), added


def test_a_restart_of_a_stopped_forward_says_so(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        daemon.client.stop("litellm")
        done = call(daemon, "restart", "litellm")

    assert done.returncode == Exit.NOT_SO
    assert done.stderr == "llmgwctl: litellm is stopped; llmgwctl start litellm\n"


def test_the_program_that_holds_a_port_is_named_and_never_this_one(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    port = free_port()
    config = DEFAULT.replace("PORT", str(port))
    with (
        another_program(port) as pid,
        running(tmp_path, simulated_cluster.kubeconfig, config) as daemon,
    ):
        # Long enough for the owner to be looked for again while ::1 is served.
        time.sleep(12)
        (taken,) = [each for each in daemon.forward()["conditions"] if each["kind"] == "port-taken"]
        health = call(daemon, "health")

    assert f"(pid {pid})" in taken["summary"]
    assert taken["remedy"] == f"kill {pid}"
    assert health.returncode == Exit.NOT_SO
    assert health.stdout.startswith("not healthy: litellm is degraded (127.0.0.1:")


def test_a_gateway_that_hangs_is_found_out_though_every_tunnel_is_busy(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    config = DEFAULT + "tunnels = 2\n"
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        daemon.wait_until(lambda: daemon.forward()["gateway"]["healthy"], "was well")
        simulated_cluster.faults.hang_gateway()
        began = time.monotonic()
        hanging = [Asked(daemon.port, "/v1/models") for _ in range(4)]
        daemon.wait_until(lambda: "gateway-silent" in daemon.conditions(), "told", 20)
        took_s = time.monotonic() - began
        health = call(daemon, "health")
        simulated_cluster.faults.hang_gateway(hangs=False)
        for each in hanging:
            each.join(20)
        daemon.wait_until(lambda: not daemon.conditions(), "over")

    print(f"\na gateway that hangs under load: told after {took_s:.2f} s (promised 10 s)")
    assert health.returncode == Exit.NOT_SO
    assert health.stdout.startswith("not healthy: litellm is degraded (The gateway gave no answer")
    assert all(each.answer for each in hanging)
