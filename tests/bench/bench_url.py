"""The url route against the same upstream asked directly: latency, throughput, memory.

    python tests/bench/bench_url.py [--seconds 3] [--rtt-ms 0,40] [--json]

Everything runs on this machine over TLS; the upstream is a process of its own. Prints each figure
and its ratio to direct access. With a round-trip time to the upstream, the latencies alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import anyio

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from report import Figures, show  # noqa: E402 - found by the path above

from llmgwsim.net.listener import Listener  # noqa: E402
from llmgwsim.net.network import Network, Wire  # noqa: E402
from llmgwsim.net.tls import Authority, TlsTransport, server_context  # noqa: E402
from support.url_upstream import answer_of, front_of  # noqa: E402

BLOCK = bytes(1 << 18)
BLOCKS = 1024
Result = dict[str, Figures]
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve /down (a large body), /up (swallow one) and anything else (two bytes)."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"/down" in head:
                size = len(BLOCK) * BLOCKS
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                for _ in range(BLOCKS):
                    writer.write(BLOCK)
                    await writer.drain()
                continue
            if b"/up" in head:
                left = len(BLOCK) * BLOCKS
                while left:
                    left -= len(await reader.read(min(left, 1 << 18)))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


def serve(authority_pipe: Connection, rtt_s: float) -> None:
    """Run the upstream in its own process; tell its authority and port."""

    async def run() -> None:
        authority = Authority()
        context = server_context(authority)
        if rtt_s:
            port = await serve_far_away(context, rtt_s)
        else:
            server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, limit=1 << 18)
            port = server.sockets[0].getsockname()[1]
        authority_pipe.send((authority.pem, port))
        await asyncio.Event().wait()

    asyncio.run(run())


async def serve_far_away(context: ssl.SSLContext, rtt_s: float) -> int:
    """Serve behind a simulated network; give the port."""
    network = Network(rtt_s=rtt_s)

    def http() -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=1 << 18), answer)

    def wire() -> Wire:
        return Wire(network, lambda wire: TlsTransport(wire, context, http))

    return (await Listener.open(wire, "127.0.0.1")).port


async def fresh(connect: Connect, seconds: float) -> float:
    """Median milliseconds from connect to answer, a new connection each time."""
    taken = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await answer_of(reader)
        taken.append(time.perf_counter() - started)
        writer.close()
        await asyncio.sleep(0.02)
    return statistics.median(taken) * 1000


async def kept(connect: Connect, seconds: float) -> float:
    """Median milliseconds of a request on one kept connection."""
    reader, writer = await connect()
    taken = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await answer_of(reader)
        taken.append(time.perf_counter() - started)
    writer.close()
    return statistics.median(taken) * 1000


async def down(connect: Connect, _seconds: float) -> float:
    """MB/s of one large answer."""
    reader, writer = await connect()
    started = time.perf_counter()
    writer.write(b"GET /down HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    left = len(BLOCK) * BLOCKS
    while left:
        left -= len(await reader.read(min(left, 1 << 18)))
    writer.close()
    return len(BLOCK) * BLOCKS / 1e6 / (time.perf_counter() - started)


async def up(connect: Connect, _seconds: float) -> float:
    """MB/s of one large request."""
    reader, writer = await connect()
    started = time.perf_counter()
    size = len(BLOCK) * BLOCKS
    writer.write(b"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(BLOCKS):
        writer.write(BLOCK)
        await writer.drain()
    await answer_of(reader)
    writer.close()
    return size / 1e6 / (time.perf_counter() - started)


def relay(pipe: Connection, url: str) -> None:
    """Run the route in its own process; tell its port, then its peak memory when asked."""

    async def run() -> None:
        async with front_of(url) as front:
            pipe.send(front.port)
            await asyncio.to_thread(pipe.recv)
            pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    # As the daemon does: what is called back from the loop must find anyio's back end.
    anyio.run(run)


LATENCIES = {"fresh_p50_ms": fresh, "kept_p50_ms": kept}
THROUGHPUTS = {"download_mb_per_s": down, "upload_mb_per_s": up}


async def measure(seconds: float, port: int, relayed: int, pem: Path, *, is_far: bool) -> Result:
    """Give each figure through the route and asked directly, one after the other."""
    trusting = ssl.create_default_context(cafile=str(pem))

    async def directly() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("localhost", port, ssl=trusting, limit=1 << 18)

    async def through() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", relayed, limit=1 << 18)

    result: Result = {"llmgw": {}, "direct": {}}
    for name, how in (LATENCIES if is_far else LATENCIES | THROUGHPUTS).items():
        for who, connect in (("direct", directly), ("llmgw", through)):
            result[who][name] = round(await how(connect, seconds), 2)
    return result


def run(seconds: float, rtt_ms: float) -> Result:
    """Measure with an upstream and a route of their own."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    upstream = processes.Process(target=serve, args=(theirs, rtt_ms / 1000), daemon=True)
    upstream.start()
    authorities, port = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder, "authorities.pem")
        pem.write_bytes(authorities)
        os.environ["SSL_CERT_FILE"] = str(pem)
        ours, theirs = processes.Pipe()
        route = processes.Process(
            target=relay, args=(theirs, f"https://localhost:{port}"), daemon=True
        )
        route.start()
        result = asyncio.run(measure(seconds, port, ours.recv(), pem, is_far=rtt_ms > 0))
        ours.send(None)
        result["llmgw"]["peak_memory_mib"] = round(ours.recv(), 1)
    upstream.terminate()
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="per latency figure")
    parser.add_argument("--rtt-ms", default="0,40", help="to the upstream and back")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    for rtt_ms in map(float, options.rtt_ms.split(",")):
        title = f"to a URL, {rtt_ms:g} ms round trip" if rtt_ms else "to a URL"
        results[title] = run(options.seconds, rtt_ms)
        if not options.json:
            show(title, results[title], "llmgw", "direct")
    if options.json:
        print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
