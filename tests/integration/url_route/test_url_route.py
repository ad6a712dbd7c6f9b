"""The url route between a real client socket and a real upstream socket."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from llmgwd.direct.route import WARM
from llmgwd.errors import Blocked
from llmgwsim.net.tls import SERVER_NAME, Authority, server_context
from support.ports import free_port
from support.url_upstream import answer_of, front_of, head_of, upstream


def scenario(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test in a loop of its own, in bounded time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(20):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


async def ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
    await reader.read()


def get(path: str = "/v1/models", *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost:4000", *headers, "", ""]).encode()


@scenario
async def test_a_request_arrives_with_the_upstreams_name_and_the_clients_key() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head_of(reader))
        await ok(reader, writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}/llm/") as front:
        reader, writer = await front.connect()
        writer.write(get("/v1/models", "Authorization: Bearer sk-1"))
        head, body = await answer_of(reader)

        assert heads == [
            b"GET /llm/v1/models HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            b"Authorization: Bearer sk-1\r\n\r\n" % port
        ]
        assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b"ok")
        writer.close()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that the system trusts."""
    made = Authority()
    bundle = tmp_path / "authorities.pem"
    bundle.write_bytes(made.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    return made


@scenario
async def test_a_tls_upstream_is_asked_by_its_name(authority: Authority) -> None:
    names: list[str | None] = []
    context = server_context(authority)
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    async with upstream(ok, tls=context) as port, front_of(f"https://localhost:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())
        _, body = await answer_of(reader)

        assert body == b"ok"
        assert set(names) == {"localhost"}
        writer.close()


@scenario
async def test_an_untrusted_certificate_needs_a_person() -> None:
    context = server_context(Authority())

    async with (
        upstream(ok, tls=context) as port,
        front_of(f"https://localhost:{port}", is_up=False) as front,
    ):
        error = front.failed[0]

        assert isinstance(error, Blocked)
        assert error.code == "tls-untrusted"
        assert "SSL_CERT_FILE" in error.remedy
        assert not front.route.is_up


@pytest.mark.parametrize("is_tls", [False, True])
@scenario
async def test_events_arrive_one_by_one_as_they_are_said(
    is_tls: bool, authority: Authority
) -> None:
    heard = asyncio.Queue[int]()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            writer.write(b"9\r\ndata: %d\n\n\r\n" % number)
            assert await heard.get() == number
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    tls = server_context(authority) if is_tls else None
    scheme = "https" if is_tls else "http"
    async with upstream(serve, tls=tls) as port, front_of(f"{scheme}://localhost:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())
        await reader.readuntil(b"\r\n\r\n")
        for number in range(5):
            # The next one is said only after this one was heard: a buffer would stop it all.
            assert await reader.readuntil(b"\n\n\r\n") == b"9\r\ndata: %d\n\n\r\n" % number
            heard.put_nowait(number)

        assert await reader.read() == b"0\r\n\r\n"
        writer.close()


@scenario
async def test_an_upload_arrives_chunk_by_chunk_as_it_is_sent() -> None:
    came = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            came.put_nowait(await reader.readuntil(b"!\r\n"))
        assert await reader.readuntil(b"0\r\n\r\n")
        await ok(reader, writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(b"POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            writer.write(b"3\r\n%d-!\r\n" % number)
            assert await came.get() == b"3\r\n%d-!\r\n" % number
        writer.write(b"0\r\n\r\n")

        assert (await answer_of(reader))[1] == b"ok"
        writer.close()


@pytest.mark.parametrize("is_tls", [False, True])
@scenario
async def test_large_bodies_pass_whole_both_ways(is_tls: bool, authority: Authority) -> None:
    payload = os.urandom(1 << 20) * 12

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = await reader.readexactly(len(payload))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        await reader.read()

    tls = server_context(authority) if is_tls else None
    scheme = "https" if is_tls else "http"
    async with upstream(serve, tls=tls) as port, front_of(f"{scheme}://localhost:{port}") as front:
        reader, writer = await front.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(payload))
        writer.write(payload)
        _, echoed = await answer_of(reader)

        assert hashlib.sha256(echoed).digest() == hashlib.sha256(payload).digest()
        writer.close()


@scenario
async def test_a_client_that_asks_before_it_uploads_hears_the_upstreams_continue() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"\r\nExpect: 100-continue\r\n" in head_of(reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await reader.readexactly(4) == b"body"
        await ok(reader, writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")

        assert (await answer_of(reader))[1] == b"ok"
        writer.close()


@scenario
async def test_answers_without_a_body_leave_the_connection_in_step() -> None:
    answers = {
        b"HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"DELETE": b"HTTP/1.1 204 No Content\r\n\r\n",
        b"GET": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        b"POST": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast",
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = head_of(reader)
        for _ in answers:
            writer.write(answers[head.split(b" ")[0]])
            head = await reader.readuntil(b"\r\n\r\n")

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        for method, expected in answers.items():
            writer.write(method + b" /v1/some/long/path HTTP/1.1\r\nHost: x\r\n\r\n")

            assert await reader.readexactly(len(expected)) == expected
        writer.close()


@scenario
async def test_pipelined_requests_are_answered_in_order() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = head_of(reader)
        while True:
            path = head.split(b" ")[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(path) + path)
            head = await reader.readuntil(b"\r\n\r\n")

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        paths = [f"/a/quite/long/path/{number}" for number in range(5)]
        writer.write(b"".join(map(get, paths)))

        for path in paths:
            assert (await answer_of(reader))[1] == path.encode()
        writer.close()


@scenario
async def test_a_websocket_passes_raw_both_ways() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"\r\nUpgrade: websocket\r\n" in head_of(reader)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"\r\n\x81\x02hi"
        )
        writer.write(b"\x00" + await reader.readexactly(6))
        await writer.drain()
        assert await reader.read() == b""

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get("/v1/realtime?model=x", "Connection: Upgrade", "Upgrade: websocket"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nConnection: upgrade\r\n" in head
        assert await reader.readexactly(4) == b"\x81\x02hi"
        writer.write(b"\x81\x00GET /"[:6])

        assert await reader.readexactly(7) == b"\x00\x81\x00GET "
        writer.close()


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


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
@pytest.mark.parametrize("leave", [reset, lambda writer: writer.close()])
@scenario
async def test_a_cut_answer_never_ends_cleanly(
    start: bytes, leave: Callable[[asyncio.StreamWriter], None]
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(head_of(reader))
        writer.write(start)
        await writer.drain()
        leave(writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert len(asked) == 1
        assert [cut.code for cut in front.cuts] == ["url-unreachable"]
        assert front.given_back == []
        writer.close()


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
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
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


@scenario
async def test_a_request_that_nobody_took_is_given_back_whole_by_a_route_that_is_down() -> None:
    server = await asyncio.start_server(lambda _r, w: answer_health(w), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with front_of(f"http://127.0.0.1:{port}") as front:
        server.close()
        reader, writer = await front.connect()
        writer.write(get())
        await reader.read()

        (sent, cause, was_up), *others = front.given_back
        assert (sent, cause.code, was_up, others) == (get(), "url-unreachable", False, [])
        assert "Connection refused" in cause.message
        assert [down.code for down in front.downs] == ["url-unreachable"]
        writer.close()


@scenario
async def test_a_client_finds_a_connection_made_ahead() -> None:
    accepted = asyncio.Queue[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait(writer)
        if b"liveliness" in await reader.readuntil(b"\r\n\r\n"):
            answer_health(writer)
        else:
            await ok(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with front_of(f"http://127.0.0.1:{port}") as front:
        first, writer = await front.connect()
        writer.write(get())
        assert (await answer_of(first))[1] == b"ok"
        for _ in range(1 + 1 + WARM):  # the check, the first client, those made ahead
            await accepted.get()
        server.close()
        second, other = await front.connect()
        other.write(get())

        # Nobody accepts any more: only a connection that was there can have carried it.
        assert (await answer_of(second))[1] == b"ok"
        writer.close()
        other.close()


@scenario
async def test_the_daemons_own_questions_make_nothing_ahead() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ok(reader, writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        for _ in range(3):
            reader, writer = await front.connect()
            writer.write(get("/v1/models", "User-Agent: llmgwd"))
            await answer_of(reader)
            writer.close()

        assert front.route._warm == []
        assert front.route._warming == 0


@scenario
async def test_a_connection_made_ahead_that_the_server_closed_is_not_used() -> None:
    closed = asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(0.2):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            writer.close()
            await writer.wait_closed()
            closed.release()
            return
        if b"liveliness" in head:
            answer_health(writer)
        else:
            await ok(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with front_of(f"http://127.0.0.1:{port}") as front:
        for _ in range(3):
            reader, writer = await front.connect()
            writer.write(get())
            assert (await answer_of(reader))[1] == b"ok"
            writer.close()
            for _ in range(WARM):
                await closed.acquire()
        assert front.cuts == []
        server.close()


@scenario
async def test_a_name_that_nobody_knows_is_named() -> None:
    async with front_of("https://gateway.invalid", is_up=False) as front:
        assert front.failed[0].code == "url-unreachable"
        assert "https://gateway.invalid" in front.failed[0].message


@pytest.mark.parametrize(
    ("status", "is_up"), [(404, True), (401, True), (502, False), (503, False)]
)
@scenario
async def test_an_ingress_without_a_gateway_is_not_a_way(status: int, is_up: bool) -> None:
    async with (
        upstream(ok, health=status) as port,
        front_of(f"http://127.0.0.1:{port}", is_up=is_up) as front,
    ):
        assert front.route.is_up is is_up
        assert [str(status) in error.message for error in front.failed] == [True] * (not is_up)


@scenario
async def test_a_route_comes_back_by_itself_and_at_once_on_news() -> None:
    port = free_port()
    async with front_of(f"http://127.0.0.1:{port}", is_up=False) as front:
        server = await asyncio.start_server(lambda _r, w: answer_health(w), "127.0.0.1", port)
        front.route.retry_now()

        await front.until(lambda: front.route.is_up)
        server.close()


def answer_health(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@scenario
async def test_drained_clients_are_asked_for_a_new_connection() -> None:
    asked = asyncio.Queue[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.put_nowait(writer)
            await reader.readuntil(b"\r\n\r\n")

    answer = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"
    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())
        (await asked.get()).write(answer)
        head, _ = await answer_of(reader)
        assert b"\r\nConnection: keep-alive\r\n" in head
        writer.write(get())
        server = await asked.get()
        front.route.drain()
        server.write(answer)
        head, body = await answer_of(reader)

        # In flight when the drain began, answered whole, and told.
        assert (b"\r\nConnection: close\r\n" in head, body) == (True, b"ok")
        assert await reader.read() == b""
        assert front.route.streams == 0
        writer.close()


@scenario
async def test_at_the_end_who_waits_for_nothing_is_let_go_and_who_waits_is_answered() -> None:
    asked = asyncio.Queue[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/slow" in head_of(reader):
            asked.put_nowait(writer)
            await reader.read()
        else:
            await ok(reader, writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        idle, idler = await front.connect()
        idler.write(get())
        await answer_of(idle)
        waiting, waiter = await front.connect()
        waiter.write(get("/slow"))
        server = await asked.get()
        front.route.drain()
        front.route.close_idle()

        assert await idle.read() == b""
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert (await answer_of(waiting))[1] == b"ok"
        assert await waiting.read() == b""
        assert front.route.streams == 0
        idler.close()
        waiter.close()


@scenario
async def test_the_environments_proxy_leads_to_the_upstream(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[bytes] = []

    async with upstream(ok, tls=server_context(authority)) as port:

        async def connect_through(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            wanted.append(await reader.readuntil(b"\r\n\r\n"))
            there, back = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(pipe(reader, back), pipe(there, writer))

        proxy = await asyncio.start_server(connect_through, "127.0.0.1", 0)
        address = proxy.sockets[0].getsockname()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{address[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with front_of(f"https://{SERVER_NAME}") as front:
            reader, writer = await front.connect()
            writer.write(get())

            assert (await answer_of(reader))[1] == b"ok"
            assert wanted[0].startswith(f"CONNECT {SERVER_NAME}:443 HTTP/1.1\r\n".encode())
            writer.close()
        proxy.close()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
@scenario
async def test_what_is_not_http_1_is_refused_and_never_sent_on(sent: bytes) -> None:
    async with upstream(ok) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(sent)

        assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        writer.close()
