"""A real LiteLLM, pinned, in an environment of its own, and as the program of a simulated pod.

The environment is built once into the user's cache folder, named by what it was made from; that
takes about a minute and 500 MB. What cannot be built fails, it is not skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from support.built_once import built_once
from support.ports import free_port

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

FILES = Path(__file__).parent / "litellm"
CONSTRAINTS = FILES / "constraints.txt"
MASTER_KEY = "sk-test-llmgw"
# The port that the configuration names for its provider, replaced by that of the running one.
_PROVIDER_PORT = "14090"
_START_S = 120.0


def environment() -> Path:
    """Give the folder of the environment, built if it is not there yet."""
    pinned = CONSTRAINTS.read_text()
    version = ".".join(map(str, sys.version_info[:2]))
    made_of = hashlib.sha256(f"{version}\n{pinned}".encode()).hexdigest()[:16]
    return built_once(f"litellm-{made_of}", lambda folder: _build(folder, pinned))


def _build(folder: Path, pinned: str) -> None:
    (version,) = (line for line in pinned.splitlines() if line.startswith("litellm=="))
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    wanted = version.replace("litellm", "litellm[proxy]")
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*command, "--constraint", CONSTRAINTS, wanted], check=True)


@dataclass(frozen=True)
class LiteLlm:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def wait(self) -> None:
        """Wait until it says that it is alive."""
        deadline = time.monotonic() + _START_S
        while not self._is_alive():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def _is_alive(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/health/liveliness")
            return connection.getresponse().status == 200
        return False


@contextlib.contextmanager
def litellm_process(
    folder: Path, config: str = "config-upstream.yaml", provider_port: int = 0
) -> Iterator[LiteLlm]:
    """Start one on a free port; `wait` before asking it anything."""
    port = free_port()
    home = folder / f"litellm-{port}"
    shutil.copytree(FILES, home)
    chosen = home / config
    chosen.write_text(chosen.read_text().replace(_PROVIDER_PORT, str(provider_port)))
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    command = [environment() / "bin" / "litellm", "--config", chosen]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output, cwd=home)
    try:
        yield LiteLlm(process, port, log)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; it must, in any case."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class LiteLlmProgram:
    """What a simulated pod runs: a LiteLLM that is there already."""

    def __init__(self, gateway: LiteLlm) -> None:
        self._gateway = gateway
        self.exited = asyncio.Event()
        self.connection_count = 0

    async def start(self, _ports: tuple[int, ...]) -> None:
        await asyncio.to_thread(self._gateway.wait)

    def address(self, _port: int) -> tuple[str, int]:
        return "127.0.0.1", self._gateway.port

    async def terminate(self) -> None:
        """SIGTERM, as the kubelet does; ends when the process does."""
        self._gateway.process.terminate()
        await asyncio.to_thread(self._gateway.process.wait)
        self.exited.set()

    def kill(self) -> None:
        self._gateway.process.kill()
        self.exited.set()

    async def close(self) -> None:
        """The process is ended by who started it."""


class SharedLiteLlmProgram(LiteLlmProgram):
    """One of several pods before one LiteLLM: its end cuts what came through it, and no more."""

    def __init__(self, gateway: LiteLlm) -> None:
        super().__init__(gateway)
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, ports: tuple[int, ...]) -> None:
        await super().start(ports)
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)

    def address(self, _port: int) -> tuple[str, int]:
        host, port = self._server.sockets[0].getsockname()
        return host, port

    async def terminate(self) -> None:
        self.kill()

    def kill(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self.exited.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above, below = await asyncio.open_connection(*super().address(0))
        self._writers |= {writer, below}
        await asyncio.gather(_copied(reader, below), _copied(above, writer))
        self._writers -= {writer, below}


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until either end ends."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def run_in_all_pods(cluster: RemoteCluster, gateway: LiteLlm) -> None:
    """Have every pod of a cluster lead to this one, each by a way of its own."""
    _run(cluster, lambda: SharedLiteLlmProgram(gateway))


def run_in_pods(cluster: RemoteCluster, gateways: list[LiteLlm]) -> None:
    """Have the next pods of a cluster run these, one each, in this order."""
    waiting = iter(gateways)
    _run(cluster, lambda: LiteLlmProgram(next(waiting)))


def _run(cluster: RemoteCluster, program: Callable[[], LiteLlmProgram]) -> None:
    assert cluster.cluster is not None
    cluster.cluster.world._program = (  # type: ignore[method-assign]
        lambda _name, _log: program()  # type: ignore[assignment, return-value]
    )
