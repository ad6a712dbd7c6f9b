"""A real `llmgwd` as a process of its own, on a free port, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmgwctl.client import Client
from llmgwctl.errors import ClientError

if TYPE_CHECKING:
    from llmgwctl.wire import ForwardStatus, Status

# Generous, because it bounds only what has gone wrong: a loaded machine is no failure.
PATIENCE_S = 30.0


@dataclass(frozen=True)
class DaemonProcess:
    """A daemon with one forward."""

    process: subprocess.Popen[bytes]
    port: int
    socket_path: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def status(self) -> Status:
        return Client(self.socket_path).status()

    def forward(self) -> ForwardStatus:
        return self.status()["forwards"][0]

    def until(self, claim: Callable[[ForwardStatus], bool]) -> ForwardStatus:
        """Wait until the forward's status makes the claim true."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(ClientError):
                forward = self.forward()
                if claim(forward):
                    return forward
            assert time.monotonic() < deadline, f"{self.forward()}\n{self.log.read_text()}"
            time.sleep(0.02)


@contextlib.contextmanager
def daemon_process(
    kubeconfig: Path,
    *,
    settings: str = "",
    gateway: str = "",
    environment: dict[str, str] | None = None,
) -> Iterator[DaemonProcess]:
    """Run it until the block ends. `settings` are lines of the forward, `gateway` of [gateway]."""
    with tempfile.TemporaryDirectory(prefix="lg-") as name:
        folder = Path(name)
        port = free_port()
        config, log = folder / "config.toml", folder / "log"
        config.write_text(
            f'[[forward]]\nname = "litellm"\nlisten = "127.0.0.1:{port}"\n{settings}\n'
            f"[gateway]\n{gateway}\n"
        )
        path = str(folder / "run" / "control.sock")
        command = [sys.executable, "-m", "llmgwd", "run", "--config", str(config)]
        command += ["--socket", path, "--log-level", "debug", "--log-format", "json"]
        environ = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "LLMGW_STATE_DIR": str(folder / "state"),
            **(environment or {}),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
        try:
            daemon = DaemonProcess(process, port, path, log)
            daemon.until(lambda forward: bool(forward["listen"]))
            yield daemon
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Twice asked, it ends at once; and it ends in any case."""
    process.terminate()
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
