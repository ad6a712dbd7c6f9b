"""Those who forward a port to the simulated cluster, each as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.kubectl import find_kubectl
from support.handed_over import HandedOver
from support.ports import free_port

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

START_S = 30.0
# What a process imports and tidies up in its first seconds is not the data path's.
SETTLE_S = 6.0
QUESTION = b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_SILENT: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

_KR8S = """
import asyncio, sys
async def main():
    import kr8s.asyncio
    from kr8s.asyncio.objects import Service
    api = await kr8s.asyncio.api(kubeconfig=sys.argv[1])
    service = await Service.get("litellm", namespace="litellm", api=api)
    async with service.portforward(remote_port=4000, local_port=int(sys.argv[2])):
        await asyncio.sleep(3600)
asyncio.run(main())
"""
_PORTFORWARD = """
import sys, time
import portforward
with portforward.forward("litellm", "litellm", int(sys.argv[2]), 4000, config_path=sys.argv[1]):
    time.sleep(3600)
"""
_LLMGW = """
[[forward]]
name = "litellm"
listen = "127.0.0.1:PORT"
"""


@dataclass(frozen=True)
class Contender:
    """A forward that runs: its local port and the process that carries it."""

    name: str
    port: int
    pid: int
    # Ends what forwards and starts it again, where the contender can do that.
    restart: Callable[[], None] | None = None
    bound_s: float = 0.0  # from its start to a connection that is taken
    answered_s: float = 0.0  # and to the answer on that connection

    def processor_s(self) -> float:
        """Processor time its threads have used, user and system."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def voluntary_switches(self) -> int:
        """How often its threads have gone to sleep, each to be woken again."""
        return sum(
            int(line.split()[1])
            for status in Path(f"/proc/{self.pid}/task").glob("*/status")
            for line in status.read_text().splitlines()
            if line.startswith("voluntary_ctxt_switches:")
        )

    def resident_mib(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def peak_mib(self) -> float:
        """The most that was resident since `forget_peak`."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise LookupError("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def signal(self, number: int) -> None:
        """To the process and all that it started."""
        os.killpg(self.pid, number)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


Start = Callable[["RemoteCluster", Path], contextlib.AbstractContextManager[Contender]]


def llmgw(name: str = "llmgw", settings: str = "", **environment: str) -> Start:
    """Our daemon; its way in is what the cluster lets through. `settings` go to its forward."""

    @contextlib.contextmanager
    def start(cluster: RemoteCluster, folder: Path) -> Iterator[Contender]:
        port = free_port()
        command, state = _llmgw_command(folder, port, settings)
        with _running(name, command, port, cluster, {**environment, **state}) as contender:
            yield contender

    return start


def _llmgw_command(folder: Path, port: int, settings: str) -> tuple[list[str], dict[str, str]]:
    config = folder / f"{port}.toml"
    config.write_text(_LLMGW.replace("PORT", str(port)) + settings)
    command = [sys.executable, "-m", "llmgwd", "run", "--config", str(config)]
    command += ["--socket", str(folder / f"{port}.sock"), "--log-level", "error"]
    return command, {"LLMGW_STATE_DIR": str(folder / f"state-{port}")}


def llmgw_handed_over(settings: str = "") -> Start:
    """Our daemon on a socket that is held for it, so that a restart leaves the port bound."""

    @contextlib.contextmanager
    def start(cluster: RemoteCluster, folder: Path) -> Iterator[Contender]:
        port = free_port()
        command, environment = _llmgw_command(folder, port, settings)
        whole = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), **environment}
        running: list[subprocess.Popen[bytes]] = []

        def begin() -> None:
            running.append(held.popen(command, whole, start_new_session=True, **_SILENT))

        def restart() -> None:
            running[-1].terminate()
            running[-1].wait(60)
            begin()

        with HandedOver(port) as held:
            begin()
            try:
                _wait_until_served(running[0], port)
                time.sleep(SETTLE_S)
                yield Contender("llmgw", port, running[0].pid, restart)
            finally:
                running[-1].kill()
                running[-1].wait()

    return start


def kubectl(name: str = "kubectl", **environment: str) -> Start:
    @contextlib.contextmanager
    def start(cluster: RemoteCluster, folder: Path) -> Iterator[Contender]:
        port = free_port()
        command = [str(find_kubectl()), "port-forward", "-n", "litellm", "svc/litellm"]
        with _running(name, [*command, f"{port}:4000"], port, cluster, environment) as contender:
            yield contender

    return start


def kubectl_in_a_loop(pause_s: float = 5.0) -> Start:
    """What people without a supervisor write: start it again whenever it has ended."""

    @contextlib.contextmanager
    def start(cluster: RemoteCluster, folder: Path) -> Iterator[Contender]:
        port = free_port()
        forward = f"{find_kubectl()} port-forward -n litellm svc/litellm {port}:4000"
        command = ["bash", "-c", f"while true; do {forward}; sleep {pause_s}; done"]
        with _running("kubectl in a loop", command, port, cluster, {}) as contender:
            pid = contender.pid
            yield replace(contender, restart=lambda: _end_children(pid))

    return start


def package(name: str, script: str) -> Start:
    @contextlib.contextmanager
    def start(cluster: RemoteCluster, folder: Path) -> Iterator[Contender]:
        port = free_port()
        command = [sys.executable, "-c", script, str(cluster.kubeconfig), str(port)]
        with _running(name, command, port, cluster, {}) as contender:
            yield contender

    return start


kr8s = package("kr8s", _KR8S)
portforward = package("portforward", _PORTFORWARD)


@contextlib.contextmanager
def _running(
    name: str,
    command: list[str],
    port: int,
    cluster: RemoteCluster,
    environment: Mapping[str, str],
) -> Iterator[Contender]:
    whole = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), **environment}
    process = subprocess.Popen(
        command,
        env=whole,
        start_new_session=True,
        **_SILENT,
    )
    try:
        bound_s, answered_s = _wait_until_served(process, port)
        time.sleep(SETTLE_S)
        yield Contender(name, port, process.pid, bound_s=bound_s, answered_s=answered_s)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_children(pid: int) -> None:
    """End what a process has started; it goes on."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)


def _wait_until_served(process: subprocess.Popen[bytes], port: int) -> tuple[float, float]:
    """Wait for an answer from the pod: an open port alone proves nothing.

    Returns when a connection was taken first, and when one was answered: seconds from now.
    """
    start = time.monotonic()
    bound_s = None
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as one:
            bound_s = bound_s or time.monotonic() - start
            one.settimeout(5)
            one.sendall(
                b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            if one.recv(100).startswith(b"HTTP/1.1 200"):
                return bound_s, time.monotonic() - start
        if process.poll() is not None or time.monotonic() > start + START_S:
            raise RuntimeError(f"{process.args!r} does not serve (exit {process.poll()})")
        time.sleep(0.005)
