"""The url route against the same upstream asked directly: latency, throughput, memory.

    python tests/bench/bench_url.py [--seconds 3] [--rtt-ms 40]

Everything runs on this machine over TLS; the upstream is a process of its own. Prints each figure
and its ratio to direct access. With a round-trip time to the upstream, the latencies alone.
"""

from __future__ import annotations

import argparse
import asyncio
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

sys.path.insert(0, str(Path(__file__).parent.parent))

import anyio

from llmgwsim.net.listener import Listener
from llmgwsim.net.network import Network, Wire
from llmgwsim.net.tls import Authority, TlsTransport, server_context
from support.url_upstream import answer_of, front_of

BLOCK = bytes(1 << 18)
BLOCKS = 1024
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


LATENCIES = (
    ("fresh connection to answer", "ms", fresh),
    ("request on a kept connection", "ms", kept),
)
THROUGHPUTS = (("download", "MB/s", down), ("upload", "MB/s", up))


async def measure(seconds: float, port: int, relayed: int, pem: Path, rtt_ms: float) -> None:
    trusting = ssl.create_default_context(cafile=str(pem))

    async def directly() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("localhost", port, ssl=trusting, limit=1 << 18)

    async def through() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", relayed, limit=1 << 18)

    for name, unit, how in LATENCIES if rtt_ms else (*LATENCIES, *THROUGHPUTS):
        straight, routed = await how(directly, seconds), await how(through, seconds)
        print(
            f"{name:30} direct {straight:8.2f} {unit:4}  route {routed:8.2f} {unit:4}"
            f"  ratio {routed / straight:.2f}"
            + (f"  round trips {routed / rtt_ms:.2f}" if rtt_ms else "")
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="per latency figure")
    parser.add_argument("--rtt-ms", type=float, default=0.0, help="to the upstream and back")
    arguments = parser.parse_args()
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    upstream = processes.Process(target=serve, args=(theirs, arguments.rtt_ms / 1000), daemon=True)
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
        asyncio.run(measure(arguments.seconds, port, ours.recv(), pem, arguments.rtt_ms))
        ours.send(None)
        print(f"{'peak memory of the route':30} {ours.recv():.0f} MB")
    upstream.terminate()


if __name__ == "__main__":
    main()
