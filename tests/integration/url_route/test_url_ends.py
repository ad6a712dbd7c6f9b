"""How each end of a url route's exchange ends the other, and what a stalled reader stops."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import TYPE_CHECKING

import pytest
from url_scenario import get, ok, scenario

from llmgwd.direct.address import parse_url
from llmgwd.direct.upstream import UpstreamDialer
from support.relay.relay_front import until
from support.relay.tunnel_peer import Owner
from support.url_upstream import answer_of, front_of, head_of, upstream

if TYPE_CHECKING:
    from collections.abc import Callable


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


FINISH = pytest.param(
    lambda writer: writer.close(),
    id="close",
    marks=pytest.mark.skipif(
        sys.platform != "linux", reason="elsewhere a close looks like a half-close"
    ),
)


@pytest.mark.parametrize("leave", [pytest.param(reset, id="reset"), FINISH])
@scenario
async def test_a_client_that_leaves_in_mid_stream_ends_the_upstream_request(
    leave: Callable[[asyncio.StreamWriter], None],
) -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        try:
            await reader.read()
        finally:
            left.set()

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())
        await reader.readuntil(b"1\r\nx\r\n")
        leave(writer)

        # Nothing more is said upstream: only the end of the client can have ended it.
        await left.wait()
        assert front.cuts == []


LEAVE = pytest.mark.parametrize("leave", [reset, lambda writer: writer.close()])
POST = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
@LEAVE
@scenario
async def test_a_cut_answer_never_ends_cleanly(
    start: bytes, leave: Callable[[asyncio.StreamWriter], None]
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(head_of(reader))
        await reader.readexactly(2)
        writer.write(start)
        await writer.drain()
        leave(writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(POST)
        if leave is not reset:
            assert await reader.readuntil(b"half")

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert len(asked) == 1
        assert [cut.code for cut in front.cuts] == ["url-unreachable"]
        assert front.relay.admission.resends == []
        writer.close()


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"])
@LEAVE
@scenario
async def test_a_request_without_an_answer_is_answered_in_words_and_sent_once(
    start: bytes, leave: Callable[[asyncio.StreamWriter], None]
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(head_of(reader))
        await reader.readexactly(2)
        writer.write(start)
        await writer.drain()
        leave(writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(POST)
        head, body = await answer_of(reader)
        if head.startswith(b"HTTP/1.1 100"):
            head, body = await answer_of(reader)

        assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"may have been received" in body
        assert len(asked) == 1
        assert [cut.code for cut in front.cuts] == ["url-unreachable"]
        assert front.relay.admission.resends == []
        writer.close()


@LEAVE
@scenario
async def test_a_safe_request_without_an_answer_is_sent_once_more(
    leave: Callable[[asyncio.StreamWriter], None],
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(head_of(reader))
        if len(asked) > 1:
            await ok(reader, writer)
        leave(writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())

        assert (await answer_of(reader))[1] == b"ok"
        assert len(asked) == 2
        assert front.cuts == []
        assert len(front.relay.admission.resends) == 1
        writer.close()


@pytest.mark.parametrize("is_reset", [True, False])
@scenario
async def test_a_connection_that_ended_before_a_byte_was_written_has_received_nothing(
    is_reset: bool,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        made_ahead = await UpstreamDialer(
            parse_url(f"http://127.0.0.1:{server.getsockname()[1]}")
        ).dial()
        accepted, _ = server.accept()
        linger = struct.pack("ii", is_reset, 0)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        accepted.close()
        if not is_reset:
            # Its end was read, and is not reported yet.
            while not made_ahead._transport.is_closing():  # noqa: ASYNC110 - in this very turn
                await asyncio.sleep(0)
        assert not made_ahead.is_closed
        owner = Owner()
        made_ahead.take(owner)
        await until(lambda: made_ahead.is_closed)

        assert owner.fates == ["unreceived"]


@scenario
async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
        await writer.drain()

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())

        assert (await reader.read()).endswith(b"\r\nConnection: close\r\n\r\nall of it")
        writer.close()


@scenario
async def test_a_client_that_half_closes_still_gets_its_answer() -> None:
    finished = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await finished.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert await reader.read() == b""

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())
        writer.write_eof()
        finished.set()

        assert (await reader.read()).endswith(b"\r\n\r\nok")
        writer.close()


@scenario
async def test_a_client_that_does_not_read_stops_its_own_upstream_only() -> None:
    stopped = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/small" in head_of(reader):
            await ok(reader, writer)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
        try:
            await write_a_gib(writer)
        except TimeoutError:
            stopped.set()
        await reader.read()

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        stalled_reader, stalled = await front.connect()
        stalled.transport.pause_reading()  # type: ignore[attr-defined]
        stalled.write(get("/large"))
        # A GiB would have passed were it buffered; the upstream is stopped long before.
        await stopped.wait()
        reader, writer = await front.connect()
        writer.write(get("/small"))

        assert (await answer_of(reader))[1] == b"ok"
        assert not stalled_reader.at_eof()
        writer.close()
        stalled.close()


@scenario
async def test_an_upstream_that_does_not_read_stops_its_client() -> None:
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await served.wait()

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        _, writer = await front.connect()
        writer.write(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (1 << 30)
        )
        with pytest.raises(TimeoutError):
            await write_a_gib(writer)
        served.set()
        writer.transport.abort()


async def write_a_gib(writer: asyncio.StreamWriter) -> None:
    """Write as fast as it is taken; raise once nothing is taken for a second."""
    for _ in range(1 << 10):
        writer.write(bytes(1 << 20))
        async with asyncio.timeout(1):
            await writer.drain()
