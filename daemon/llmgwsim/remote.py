"""Reaches a simulated cluster from outside its loop: in a thread, or in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmgwsim.cluster import SimulatedCluster
from llmgwsim.kubeconfig import Credentials, write_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from llmgwsim.options import Options

_START_TIMEOUT_S = 20.0
# A real API server, in Go, takes AES-128 where it is offered; OpenSSL takes the client's first,
# which with OpenSSL is AES-256. No call of Python 3.11 sets this.
_OPENSSL_CNF = """\
openssl_conf = openssl
[openssl]
ssl_conf = ssl
[ssl]
system_default = server
[server]
Ciphersuites = TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
Options = ServerPreference
"""


class FaultError(Exception):
    """The cluster did not take a fault call; the text says why."""


class FaultClient:
    """Fault calls over the control port, each by its name: `faults.delete_pod(graceful=False)`.

    Blocking; `await asyncio.to_thread(...)` where the caller's loop must go on.
    """

    def __init__(self, control_url: str) -> None:
        self._netloc = urlsplit(control_url).netloc

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Make one call; return its JSON result.

        Raises:
            FaultError: no such call, or arguments it does not take.
        """
        connection = http.client.HTTPConnection(self._netloc, timeout=60)
        with contextlib.closing(connection):
            path = f"/faults/{name.replace('_', '-')}"
            connection.request("POST", path, json.dumps(arguments))
            response = connection.getresponse()
            answer = json.loads(response.read())
        if response.status != 200:
            raise FaultError(answer["error"])
        return answer["result"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda **arguments: self.call(name, **arguments)


@dataclass(frozen=True)
class RemoteCluster:
    """A running cluster somewhere else; `cluster` is set when it is in a thread of this process."""

    url: str
    control_url: str
    token: str
    kubeconfig: Path
    authority: bytes
    faults: FaultClient
    cluster: SimulatedCluster | None = None
    pid: int | None = None

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 443

    def write_kubeconfig(
        self, path: Path, credentials: Credentials | None = None, **fields: Any
    ) -> Path:
        """Write another kubeconfig for this cluster; see `kubeconfig.kubeconfig`."""
        from llmgwsim.kubeconfig import kubeconfig

        chosen = credentials or Credentials(token=self.token)
        return write_kubeconfig(path, kubeconfig(self.url, self.authority, chosen, **fields))


@contextlib.contextmanager
def cluster_in_thread(options: Options | None = None) -> Iterator[RemoteCluster]:
    """Run a cluster in a thread with a loop of its own, until the block ends."""
    start: Future[tuple[SimulatedCluster, Callable[[], object]]] = Future()

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            async with SimulatedCluster(options) as cluster:
                start.set_result((cluster, lambda: loop.call_soon_threadsafe(stop.set)))
                await stop.wait()
        except OSError as error:
            if start.done():
                raise
            start.set_exception(error)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    cluster, end = start.result(_START_TIMEOUT_S)
    try:
        with tempfile.TemporaryDirectory(prefix="llmgw-demo-") as folder:
            path = cluster.write_kubeconfig(Path(folder) / "kubeconfig")
            yield RemoteCluster(
                cluster.url,
                cluster.control_url,
                cluster.token,
                path,
                cluster.authority.pem,
                FaultClient(cluster.control_url),
                cluster=cluster,
            )
    finally:
        end()
        thread.join(_START_TIMEOUT_S)


@contextlib.contextmanager
def cluster_process(arguments: Sequence[str] = ()) -> Iterator[RemoteCluster]:
    """Run `python -m llmgwsim ARGUMENTS` as a process, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="llmgw-demo-") as folder:
        path, ready = Path(folder) / "kubeconfig", Path(folder) / "ready.json"
        command = [sys.executable, "-m", "llmgwsim", "--kubeconfig", str(path)]
        command += ["--ready-file", str(ready), *arguments]
        openssl = Path(folder) / "openssl.cnf"
        openssl.write_text(_OPENSSL_CNF)
        environment = {**os.environ, "OPENSSL_CONF": str(openssl)}
        process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own module
        try:
            yield _remote(process, path, ready)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _remote(process: subprocess.Popen[bytes], path: Path, ready: Path) -> RemoteCluster:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the simulated cluster did not start (exit {process.poll()})")
        time.sleep(0.02)
    known = json.loads(ready.read_text())
    return RemoteCluster(
        known["url"],
        known["control_url"],
        known["token"],
        path,
        known["authority"].encode(),
        FaultClient(known["control_url"]),
        pid=process.pid,
    )
