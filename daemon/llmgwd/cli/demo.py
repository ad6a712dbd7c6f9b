"""`llmgwd demo`: the daemon in front of a simulated cluster, on a configuration of its own.

Everything it makes is in one temporary folder and one child process, and goes with it. The
simulated cluster is imported when it is needed: it comes with the extra `demo`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.paths import SOCKET_VARIABLE
from llmgwctl.wire import EventKind, State
from llmgwd.app import Daemon
from llmgwd.config.address import family
from llmgwd.config.model import ClusterRoute, Config, ForwardConfig, localhost
from llmgwd.control.socket import ControlSocket, bind_control_socket
from llmgwd.errors import Blocked
from llmgwd.listening.sockets import ProcessSockets
from llmgwd.service.activation import Inherited
from llmgwd.service.kept_connections import KeptConnections
from llmgwd.service.notify import Notifier
from llmgwd.system.port_owner import port_owner
from llmgwd.system.process import event_loop
from llmgwd.telemetry import log

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from llmgwctl.wire import Event
    from llmgwd.forwards.manager import ForwardManager
    from llmgwsim.remote import RemoteCluster

PORTS_TRIED: Final = 50
REQUESTS_EVERY_S: Final = 0.2
SUMMARY_EVERY_S: Final = 5.0
# Time to read what is printed and to try it; then the demo does something itself.
FIRST_ACT_S: Final = 6.0
BETWEEN_ACTS_S: Final = 8.0
ALL_GONE_S: Final = 3.0

# What other events report in other words.
_UNREPORTED: Final = {
    EventKind.DAEMON_STARTED,
    EventKind.CONDITION_RAISED,
    EventKind.CONDITION_CLEARED,
    EventKind.DAEMON_STOPPING,
}


def run(port: int, for_s: float | None) -> int:
    """Run until Ctrl-C, or for so many seconds.

    Raises:
        Blocked: no port is free, or the extra `demo` is not installed.
    """
    cluster_process = _simulated_cluster()
    log.configure("error", "console")
    with _daemon_folder() as folder:
        port = _free_port(port)
        sockets = ProcessSockets(Inherited(), KeptConnections(Notifier()))
        sockets.bind_early(localhost(port))
        control_socket = bind_control_socket(str(folder / "control.sock"))
        try:
            _say("Starting a simulated cluster with two gateway pods …")
            with cluster_process() as cluster:
                show = _Show(cluster, port, control_socket, for_s)
                show.introduce()
                daemon = Daemon(
                    _config(folder, cluster, port),
                    sockets,
                    control_socket,
                    Notifier(),
                    state=None,
                    beside=show.run,
                )
                event_loop.start(daemon.run)
        finally:
            control_socket.release()
    _say("The demo is over; nothing is left behind.")
    return 0


def _simulated_cluster() -> Callable[[], AbstractContextManager[RemoteCluster]]:
    """What starts the simulated cluster as a process.

    Raises:
        Blocked: the extra `demo` is not installed.
    """
    try:
        from llmgwsim.remote import cluster_process
    except ModuleNotFoundError as error:
        # Our own modules are in every wheel: one of those missing is a bug, not a missing extra.
        if (error.name or "").partition(".")[0] != "cryptography":
            raise
        raise Blocked(
            "demo-not-installed",
            "the demo needs the Python package cryptography, which the extra `demo` installs "
            "(from a clone: pip install '.[demo]')",
            "pip install 'llmgw[demo]'",
        ) from error
    return cluster_process


@contextlib.contextmanager
def _daemon_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="llmgw-demo-") as folder:
        yield Path(folder)


def _free_port(wanted: int) -> int:
    """The wanted port, or the next one that is free on both addresses, with a line that says so."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        if all(_is_free(address.host, port) for address in localhost(port)):
            if port != wanted:
                owners = (port_owner(address.host, wanted) for address in localhost(wanted))
                owner = next((each for each in owners if each is not None), None)
                taken = f"taken by {owner}" if owner else "taken"
                _say(f"Port {wanted} is {taken}; this demo listens on port {port} instead.")
            return port
    raise Blocked("port-taken", f"no port from {wanted} on is free", "llmgwd demo --port 5000")


def _is_free(host: str, port: int) -> bool:
    try:
        with socket.socket(family(host), socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen()
    except OSError:
        # On a machine without IPv6 no one can take ::1.
        return family(host) == socket.AF_INET6 and not socket.has_dualstack_ipv6()
    return True


def _config(folder: Path, cluster: RemoteCluster, port: int) -> Config:
    route = ClusterRoute(kubeconfig=str(cluster.kubeconfig))
    forward = ForwardConfig("litellm", localhost(port), (route,))
    return Config(str(folder / "config.toml"), is_present=False, forwards=(forward,))


class _Show:
    """Prints what can be tried and what happens, makes some requests itself, and loses pods."""

    def __init__(
        self, cluster: RemoteCluster, port: int, control_socket: ControlSocket, for_s: float | None
    ) -> None:
        self._cluster = cluster
        self._port = port
        self._socket = control_socket.path
        self._for_s = for_s
        self._took_s: list[float] = []
        self._failures: list[str] = []
        self._has_lost_pod = False
        self._is_over = False

    def introduce(self) -> None:
        ctl = f"{SOCKET_VARIABLE}={shlex.quote(self._socket)} {_program('llmgwctl')}"
        kubectl = f"kubectl --kubeconfig {shlex.quote(str(self._cluster.kubeconfig))} -n litellm"
        faults = f"{self._cluster.control_url}/faults"
        end = "Ctrl-C ends it." if self._for_s is None else f"It ends after {self._for_s:g} s."
        _say(
            f"""
llmgwd listens on localhost:{self._port}. Try in another terminal:

  a request       curl -s localhost:{self._port}/health/liveliness
  how things are  {ctl} status
  what happens    {ctl} events -f
  kill a pod      curl -s -X POST {faults}/delete-pod
  a rollout       curl -s -X POST {faults}/roll
  the cluster     {kubectl} get pods -w

Five requests a second are made all the time; below is what happens to them. {end}
"""
        )

    async def run(self, manager: ForwardManager) -> None:
        with contextlib.suppress(anyio.get_cancelled_exc_class()):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._report_events, manager)
                tasks.start_soon(self._ask_steadily)
                tasks.start_soon(self._sum_up_steadily)
                tasks.start_soon(self._act, manager)
                if self._for_s is not None:
                    await anyio.sleep(self._for_s)
                    self._sum_up()
                    tasks.cancel_scope.cancel()
        if self._for_s is not None:
            signal.raise_signal(signal.SIGTERM)

    # What happens.

    async def _report_events(self, manager: ForwardManager) -> None:
        async with manager.subscribe() as events:
            for event in manager.events_since(None):
                self._report(event)
            async for event in events:
                self._report(event)

    def _report(self, event: Event) -> None:
        kind = EventKind(event["kind"])
        self._has_lost_pod = self._has_lost_pod or kind is EventKind.POD_LOST
        if kind is EventKind.DAEMON_STOPPING:
            self._is_over = True
        if kind not in _UNREPORTED and not self._is_over:
            _line(event.get("message", kind.value), _glyph(event))

    # A little traffic.

    async def _ask_steadily(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                tasks.start_soon(self._ask)
                await anyio.sleep(REQUESTS_EVERY_S)

    async def _ask(self) -> None:
        began = time.monotonic()
        try:
            with anyio.fail_after(60):
                answer = await _get(self._port, "/health/liveliness")
        except (OSError, EOFError, TimeoutError) as error:
            self._failures.append(type(error).__name__)
        else:
            self._took_s.append(time.monotonic() - began)
            if b" 200 " not in answer[:16]:
                self._failures.append(answer[9:12].decode("ascii", "replace"))

    async def _sum_up_steadily(self) -> None:
        while True:
            await anyio.sleep(SUMMARY_EVERY_S)
            self._sum_up()

    def _sum_up(self) -> None:
        took_s, self._took_s = sorted(self._took_s), []
        failures, self._failures = self._failures, []
        if took_s and not self._is_over:
            failed = f"{len(failures)} failed ({failures[0]})" if failures else "none failed"
            middle, slowest = took_s[len(took_s) // 2], took_s[-1]
            _line(
                f"{len(took_s)} requests answered, {failed}; "
                f"half within {middle * 1000:.1f} ms, the slowest in {_duration(slowest)}.",
                " ",
            )

    # Losing pods.

    async def _act(self, manager: ForwardManager) -> None:
        await anyio.sleep(FIRST_ACT_S)
        if not self._has_lost_pod:
            _line("The demo kills one of the two pods.", "✂")
            await self._fault("delete_pod", graceful=False)
        await anyio.sleep(BETWEEN_ACTS_S)
        await _until_ready(manager)
        _line(f"The demo kills both pods; no new one comes for {ALL_GONE_S:g} s.", "✂")
        await self._fault("delete_all_pods", hold_s=ALL_GONE_S)

    async def _fault(self, name: str, **arguments: object) -> None:
        from llmgwsim.remote import FaultError

        try:
            await asyncio.to_thread(self._cluster.faults.call, name, **arguments)
        except (FaultError, OSError) as error:
            _line(f"The simulated cluster did not do it: {error}", "!")


async def _until_ready(manager: ForwardManager) -> None:
    while manager.status()["state"] != State.READY:  # noqa: ASYNC110 - a demo may look now and then
        await anyio.sleep(0.1)


async def _get(port: int, path: str) -> bytes:
    """GET as a client would, on a fresh connection; the head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


def _glyph(event: Event) -> str:
    kind = event["kind"]
    if kind == EventKind.STATE_CHANGED:
        return "●" if event.get("state") == State.READY else "○"
    return {EventKind.ROUTE_LOST: "✗", EventKind.ROUTE_UP: "✓"}.get(EventKind(kind), "·")


def _program(name: str) -> str:
    """The command as it can be typed: bare where the shell finds it."""
    beside = Path(sys.argv[0]).with_name(name)
    return name if shutil.which(name) or not beside.exists() else shlex.quote(str(beside))


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _line(text: str, glyph: str) -> None:
    now = time.time()
    stamp = time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03d}"
    _say(f"{stamp} {glyph} {text}")


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)
