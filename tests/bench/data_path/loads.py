"""The loads: what is asked of a forward, and the figures that come of it.

Each takes a contender and gives figures by name, in the unit the name ends in. Clients are bare
sockets and asyncio streams in this process, the same for everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report import Figures

    from data_path.contenders import Contender


MB = 1_000_000


def _request(path: str, method: str = "GET", extra: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{extra}\r\n"
    return head.encode()


PING = _request("/health/liveliness")


async def _open(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)


async def _first_byte_s(port: int) -> float:
    """Open a fresh connection, ask, and take the time to the first byte of a whole answer."""
    start = time.perf_counter()
    reader, writer = await _open(port)
    writer.write(PING)
    first = await reader.read(1)
    took = time.perf_counter() - start
    # Not to the end of the connection: the runtime keeps that back for a second.
    answer = first + await reader.readuntil(b'alive!"')
    writer.close()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"no answer but {answer!r}")
    return took


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


async def fresh(contender: Contender) -> Figures:
    """50 fresh connections, one after the other."""
    for _ in range(5):
        await _first_byte_s(contender.port)
    took = [await _first_byte_s(contender.port) for _ in range(50)]
    return {"first_byte_p50_ms": _ms(statistics.median(took)), "slowest_ms": _ms(max(took))}


async def burst(contender: Contender) -> Figures:
    """Eight connections at once; the median of seven such bursts' slowest."""
    slowest = []
    for _ in range(8):
        took = await asyncio.gather(*(_first_byte_s(contender.port) for _ in range(8)))
        slowest.append(max(took))
        await asyncio.sleep(0.3)
    return {"slowest_of_8_p50_ms": _ms(statistics.median(slowest[1:]))}


async def download(contender: Contender, size: int = 300 * MB) -> Figures:
    reader, writer = await _open(contender.port)
    used, start = contender.processor_s(), time.perf_counter()
    writer.write(_request(f"/bytes/{size}"))
    await reader.readuntil(b"\r\n\r\n")
    received = 0
    while chunk := await reader.read(1 << 20):
        received += len(chunk)
    return _throughput(contender, "download", size, received, start, used, writer)


async def upload(contender: Contender, size: int = 300 * MB) -> Figures:
    reader, writer = await _open(contender.port)
    used, start = contender.processor_s(), time.perf_counter()
    writer.write(_request("/upload?sum=0", "POST", f"Content-Length: {size}\r\n"))
    block = bytes(1 << 18)
    left = size
    while left:
        writer.write(block[: min(left, len(block))])
        left -= min(left, len(block))
        await writer.drain()
    head = await reader.read(1 << 16)
    sent = size if head.startswith(b"HTTP/1.1 200") else 0
    return _throughput(contender, "upload", size, sent, start, used, writer)


def _throughput(
    contender: Contender,
    name: str,
    size: int,
    carried: int,
    start: float,
    used: float,
    writer: asyncio.StreamWriter,
) -> Figures:
    took = time.perf_counter() - start
    writer.close()
    if carried != size:
        raise RuntimeError(f"{name}: {carried} of {size} bytes")
    processor_s = contender.processor_s() - used
    return {
        f"{name}_mb_per_s": round(size / MB / took, 1),
        f"{name}_cpu_s_per_gb": round(processor_s / (size / MB / 1000), 2),
    }


async def stalled(contender: Contender, count: int = 20) -> Figures:
    """Readers that stop in a 2 GB answer, and what is left for the others."""
    unloaded = [await _first_byte_s(contender.port) for _ in range(20)]
    before = contender.resident_mib()
    readers = []
    for _ in range(count):
        reader, writer = await _open(contender.port)
        writer.write(_request("/bytes/2000000000"))
        readers.append(writer)
        # Behind kubectl the first one that stalls keeps the next ones from even beginning.
        with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
            await asyncio.wait_for(reader.readexactly(1), 2)
        with contextlib.suppress(RuntimeError):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(3)
    answered, took = 0, []
    for _ in range(20):
        with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
            took.append(await asyncio.wait_for(_first_byte_s(contender.port), 2))
            answered += 1
    grown = contender.resident_mib() - before
    for writer in readers:
        writer.transport.abort()
    return {
        "unloaded_p50_ms": _ms(statistics.median(unloaded)),
        "others_answered": answered,
        "others_p50_ms": _ms(statistics.median(took)) if took else math.nan,
        "grown_mib_each": round(grown / count, 2),
    }


async def events(contender: Contender, streams: int = 200) -> Figures:
    """Server-sent events, five a second on each stream: by how much a gap exceeds 200 ms."""
    late: list[float] = []
    complete = 0

    async def follow() -> None:
        nonlocal complete
        reader, writer = await _open(contender.port)
        writer.write(_request("/sse?n=25&ms=200"))
        await reader.readuntil(b"\r\n\r\n")
        previous, seen = 0.0, 0
        with contextlib.suppress(asyncio.IncompleteReadError):
            while seen < 25:
                await reader.readuntil(b"\n\n")
                now = time.perf_counter()
                if previous:
                    late.append(max(now - previous - 0.2, 0.0))
                previous = now
                seen += 1
        complete += seen == 25
        writer.close()

    await asyncio.gather(*(follow() for _ in range(streams)))
    late.sort()
    return {
        "complete": complete,
        "late_p50_ms": _ms(statistics.median(late)),
        "late_p99_ms": _ms(late[int(len(late) * 0.99)]),
    }


async def cancelled(contender: Contender, total: int = 1000, at_once: int = 16) -> Figures:
    """Streams cut by their client in the middle; then what is left, and the next requests."""
    unloaded = [await _first_byte_s(contender.port) for _ in range(20)]
    before_mib, before_fds = contender.resident_mib(), contender.descriptors()
    room = asyncio.Semaphore(at_once)

    async def cancel() -> None:
        async with room:
            reader, writer = await _open(contender.port)
            writer.write(_request("/sse?n=1000&ms=5"))
            await reader.readuntil(b"\n\n")
            writer.transport.abort()

    await asyncio.gather(*(cancel() for _ in range(total)))
    took = [await _first_byte_s(contender.port) for _ in range(5)]
    # By then the runtime has let go of the last ones, and the cluster has the processor back.
    await asyncio.sleep(2)
    later = [await _first_byte_s(contender.port) for _ in range(20)]
    await asyncio.sleep(45)
    return {
        "unloaded_p50_ms": _ms(statistics.median(unloaded)),
        "next_5_p50_ms": _ms(statistics.median(took)),
        "next_5_slowest_ms": _ms(max(took)),
        "after_2_s_p50_ms": _ms(statistics.median(later)),
        "more_descriptors": contender.descriptors() - before_fds,
        "grown_mib": round(contender.resident_mib() - before_mib, 1),
    }


async def crowd(contender: Contender, total: int = 1000) -> Figures:
    """A thousand connections opened at once."""
    contender.forget_peak()
    used = contender.processor_s()

    async def ask() -> float | None:
        try:
            return await asyncio.wait_for(_first_byte_s(contender.port), 30)
        except (OSError, RuntimeError, TimeoutError, asyncio.IncompleteReadError):
            return None

    took = await asyncio.gather(*(ask() for _ in range(total)))
    answered = [each for each in took if each is not None]
    return {
        "answered": len(answered),
        "p50_s": round(statistics.median(answered), 3) if answered else float("inf"),
        "slowest_s": round(max(answered, default=float("inf")), 3),
        "cpu_s": round(contender.processor_s() - used, 2),
        "peak_mib": round(contender.peak_mib(), 1),
    }


async def idle(contender: Contender, seconds: float = 20.0) -> Figures:
    await asyncio.sleep(3)
    used = contender.processor_s()
    await asyncio.sleep(seconds)
    return {
        "cpu_percent": round((contender.processor_s() - used) / seconds * 100, 2),
        "resident_mib": round(contender.resident_mib(), 1),
    }


LOADS: dict[str, Callable[[Contender], object]] = {
    "fresh": fresh,
    "burst": burst,
    "download": download,
    "upload": upload,
    "stalled": stalled,
    "events": events,
    "cancelled": cancelled,
    "crowd": crowd,
    "idle": idle,
}
