"""What a stream costs: the processor time of one, ours and kubectl's, in one run.

    python tests/bench/bench_stream.py [--streams 1000] [--rounds 3] [--json]

First the pool alone, in this process: a stream is opened on a warm tunnel, carries a request of 200
bytes and its answer, and is ended. Then the whole way through a daemon and through kubectl, as
fresh connections and as requests on a kept one. The simulated cluster has a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from data_path import contenders  # noqa: E402 - found by the path above
from data_path.plan import RAW  # noqa: E402
from report import Figures, show  # noqa: E402

from llmgwctl.wire import ConditionKind, UpgradeKind  # noqa: E402
from llmgwd.cluster.access import open_access  # noqa: E402
from llmgwd.cluster.target.pods import Endpoint  # noqa: E402
from llmgwd.cluster.upgrade import Upgraded, upgrade  # noqa: E402
from llmgwd.errors import LlmgwError, Transient  # noqa: E402
from llmgwd.system.backoff import CLUSTER_WAIT  # noqa: E402
from llmgwd.tunnel.pool import TunnelPool  # noqa: E402
from llmgwsim.remote import RemoteCluster, cluster_process  # noqa: E402

if TYPE_CHECKING:
    from llmgwd.relay.route import Stream
    from llmgwd.relay.route_events import RouteEvent

Asks = Callable[[int, int], Awaitable[list[float]]]

WHO = (("llmgw", contenders.llmgw()), ("kubectl", contenders.kubectl(**RAW)))
ANSWER_END = b'alive!"'
# The least of several stretches is what the work costs; the rest is the machine's other business.
STRETCH = 100


def request(connection: str) -> bytes:
    head = f"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n"
    return f"{head}X-Padding: {'x' * 100}\r\n\r\n".encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with cluster_process() as cluster:
        alone = asyncio.run(pool_alone(cluster, options.streams))
    through = whole_way(options.streams, options.rounds)
    if options.json:
        print(json.dumps({"pool": alone, **through}, indent=2))
        return 0
    print(f"the pool alone: {alone['cpu_us']:g} us of processor a stream (median stretch)")
    print(f"                {alone['least_cpu_us']:g} us (least stretch)")
    for title, result in through.items():
        show(title, result, "llmgw", "kubectl")
    return 0


def whole_way(streams: int, rounds: int) -> dict[str, dict[str, Figures]]:
    """Take the contenders in turn, as often as asked; give the median of each figure."""
    seen: dict[str, dict[str, list[Figures]]] = {"fresh": {}, "kept": {}}
    for _ in range(rounds):
        for name, start in WHO:
            with (
                tempfile.TemporaryDirectory() as folder,
                cluster_process() as cluster,
                start(cluster, Path(folder)) as contender,
            ):
                for load, asks in (("fresh", ask_fresh), ("kept", ask_kept)):
                    figures = asyncio.run(measured(contender, asks, streams))
                    seen[load].setdefault(name, []).append(figures)
    return {
        load: {name: _medians(figures) for name, figures in by_name.items()}
        for load, by_name in seen.items()
    }


async def measured(contender: contenders.Contender, asks: Asks, count: int) -> Figures:
    await asks(contender.port, 50)
    used = contender.processor_s()
    took = await asks(contender.port, count)
    return {
        "p50_ms": round(statistics.median(took) * 1000, 2),
        "cpu_us": round((contender.processor_s() - used) / count * 1e6),
    }


async def ask_fresh(port: int, count: int) -> list[float]:
    took = []
    for _ in range(count):
        start = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("close"))
        await reader.readuntil(ANSWER_END)
        took.append(time.perf_counter() - start)
        writer.close()
    return took


async def ask_kept(port: int, count: int) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for _ in range(count):
        start = time.perf_counter()
        writer.write(request("keep-alive"))
        await reader.readuntil(ANSWER_END)
        took.append(time.perf_counter() - start)
    writer.close()
    return took


def _medians(rounds: list[Figures]) -> Figures:
    return {name: round(statistics.median(each[name] for each in rounds), 2) for name in rounds[0]}


class Asker:
    """The owner of one stream."""

    is_demand = True
    preferred_pod = None
    avoided_pod = None

    def __init__(self) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stream: Stream | None = None
        self._received = b""

    def unsent(self, pod: str | None) -> bytes:
        return request("close")

    def stream_opened(self, stream: Stream, /) -> None:
        self._stream = stream

    def stream_data(self, payload: bytes, /) -> None:
        self._received += payload
        if self._received.endswith(ANSWER_END) and self._stream is not None:
            self._stream.discard()
            self.answered.set_result(None)

    def stream_ended(self) -> None:
        lost = Transient(ConditionKind.TUNNEL_LOST, "An end in the middle of the answer.")
        self.stream_failed(lost, False)

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool, /) -> None:
        if not self.answered.done():
            self.answered.set_exception(cause)

    def unread_bytes(self) -> int:
        return 0

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...


class Quiet:
    """The pool's owner: nothing of what it reports is looked at."""

    def up(self) -> None: ...

    def down(self, cause: LlmgwError) -> None: ...

    def changed(self) -> None: ...

    def record(self, event: RouteEvent) -> None: ...


async def pool_alone(cluster: RemoteCluster, count: int) -> Figures:
    access = await open_access(str(cluster.kubeconfig), None)

    async def dial(endpoint: Endpoint) -> Upgraded:
        return await upgrade(access, endpoint, UpgradeKind.SPDY)

    pods = await asyncio.to_thread(cluster.faults.call, "pods")
    stretches = []
    async with anyio.create_task_group() as tasks:
        pool = TunnelPool(dial, Quiet(), Quiet(), CLUSTER_WAIT)
        tasks.start_soon(pool.run)
        pool.set_endpoints([Endpoint("litellm", pod["name"], "", 4000) for pod in pods])
        await ask_pool(pool)
        await asyncio.sleep(3)
        for _ in range(max(count // STRETCH, 1)):
            used = time.process_time()
            await ask_pool(pool)
            stretches.append((time.process_time() - used) / STRETCH * 1e6)
        tasks.cancel_scope.cancel()
    await access.close()
    return {"cpu_us": round(statistics.median(stretches)), "least_cpu_us": round(min(stretches))}


async def ask_pool(pool: TunnelPool) -> None:
    for _ in range(STRETCH):
        asker = Asker()
        pool.open(asker)
        await asker.answered


if __name__ == "__main__":
    sys.exit(main())
