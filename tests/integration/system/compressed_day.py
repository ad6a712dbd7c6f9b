"""A day of the daemon, on a virtual clock: in a process of its own, whose memory is its alone.

    python compressed_day.py FOLDER HOURS

Prints a line of JSON for each hour: what the daemon, the simulated cluster in the same loop and
the connections between them hold.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
from virtual_clock import VirtualLoop

from llmgwd import app
from llmgwd.config.model import Config, default_forward
from llmgwd.control.socket import bind_control_socket
from llmgwd.listening.sockets import ProcessSockets
from llmgwd.service.activation import inherit
from llmgwd.service.kept_connections import KeptConnections
from llmgwd.service.notify import Notifier
from llmgwd.telemetry import log
from llmgwsim.cluster import SimulatedCluster
from llmgwsim.options import Options
from support.ports import free_port

if TYPE_CHECKING:
    from llmgwd.forwards.manager import ForwardManager

HOUR_S = 3600.0


async def _inline(work: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    """In place of a thread, for which a virtual clock would not wait."""
    await anyio.lowlevel.checkpoint()
    return work(*arguments)


async def _ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


def _held() -> dict[str, int]:
    gc.collect()
    loop = cast("VirtualLoop", asyncio.get_running_loop())
    scheduled: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "tasks": len(asyncio.all_tasks()),
        "timers": sum(not timer.cancelled() for timer in scheduled),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "objects": len(gc.get_objects()),
        "memory_kib": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
        "wakeups": loop.wakeups,
    }


class _Day:
    """Most of it no one uses the forward; in some hours something happens."""

    def __init__(self, cluster: SimulatedCluster, kubeconfig: Path, hours: int) -> None:
        self._cluster = cluster
        self._kubeconfig = kubeconfig
        self._hours = hours

    async def pass_by(self, manager: ForwardManager) -> None:
        await manager.wait_until_accepting()
        port = manager.config.forwards[0].listen[0].port
        for hour in range(self._hours):
            await anyio.sleep_until((hour + 0.1) * HOUR_S)
            if hour % 3 == 1:
                assert b"I'm alive!" in await _ask(port)
                self._cluster.faults.delete_pod(graceful=False)
                await anyio.sleep(30.0)
                self._cluster.write_kubeconfig(self._kubeconfig)
                await anyio.sleep(30.0)
                await manager.refresh(1.0)
                assert b"I'm alive!" in await _ask(port)
            await anyio.sleep_until((hour + 1) * HOUR_S - 45.0)
            print(json.dumps({**_held(), "state": manager.status()["state"]}), flush=True)
        signal.raise_signal(signal.SIGTERM)


async def _run(folder: Path, hours: int) -> None:
    async with SimulatedCluster(Options(pods=2)) as cluster:
        kubeconfig = cluster.write_kubeconfig(folder / "kubeconfig")
        os.environ["KUBECONFIG"] = str(kubeconfig)
        forward = default_forward(free_port())
        config = Config(str(folder / "config.toml"), False, (forward,))
        day = _Day(cluster, kubeconfig, hours)
        daemon = app.Daemon(
            config,
            ProcessSockets(inherit(), KeptConnections(Notifier())),
            bind_control_socket(str(folder / "socket")),
            Notifier(),
            folder / "state",
            day.pass_by,
        )
        await daemon.run()


def main() -> None:
    folder, hours = Path(sys.argv[1]), int(sys.argv[2])
    anyio.to_thread.run_sync = cast("Any", _inline)
    log.configure("error", "json", str(folder / "log"))
    anyio.run(_run, folder, hours, backend_options={"loop_factory": VirtualLoop})


if __name__ == "__main__":
    main()
