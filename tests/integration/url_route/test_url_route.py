"""The url route as a whole: connections made ahead, outages, the way out, and what is refused."""

from __future__ import annotations

import asyncio

import pytest
from url_scenario import get, ok, scenario

from llmgwd.direct.pool import WARM
from llmgwd.relay.byte_stream import connect_through
from llmgwsim.net.tls import SERVER_NAME, Authority, server_context
from support.ports import free_port
from support.relay.relay_front import until
from support.url_upstream import answer_of, front_of, head_of, upstream


@scenario
async def test_a_request_that_no_one_took_is_held_by_a_route_that_is_down_and_sent_whole() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return  # a connection made ahead
        heads.append(head if b"liveliness" in head else head + await reader.readexactly(4))
        answer_health(writer)

    server = await asyncio.start_server(healthy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with front_of(f"http://127.0.0.1:{port}") as front:
        server.close()
        reader, writer = await front.connect()
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"
        )
        await until(lambda: front.relay.admission.hold)

        assert [down.code for down in front.downs] == ["url-unreachable"]
        assert "Connection refused" in front.problems[0].message
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        front.route.retry_now()
        head, _ = await answer_of(reader)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert [head for head in heads if b"/v1/messages" in head] == [
            b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 4\r\n"
            b"Connection: close\r\n\r\nbody" % port
        ]
        assert front.cuts == []
        writer.close()
        server.close()


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
    accepted = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await ok(reader, writer)

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        for _ in range(3):
            reader, writer = await connect_through(front.route)
            writer.write(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.read(65536)).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.close()

        assert accepted == 3
        assert front.route._pool._warm == []
        assert front.route._pool._warming == 0


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
        assert front.problems[0].code == "url-unreachable"
        assert "https://gateway.invalid" in front.problems[0].message


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
        assert [str(status) in error.message for error in front.problems] == [True] * (not is_up)


@scenario
async def test_a_route_comes_back_by_itself_and_at_once_on_news() -> None:
    port = free_port()
    async with front_of(f"http://127.0.0.1:{port}", is_up=False) as front:
        server = await asyncio.start_server(healthy, "127.0.0.1", port)
        front.route.retry_now()

        await front.until(lambda: front.route.is_up)
        server.close()


async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    answer_health(writer)


def answer_health(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@scenario
async def test_drained_clients_are_asked_for_a_new_connection() -> None:
    asked = asyncio.Queue[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(writer)
        await reader.read()

    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())
        (await asked.get()).write(answer)
        head, _ = await answer_of(reader)
        assert b"onnection" not in head
        writer.write(get())
        server = await asked.get()
        front.connections.is_draining = True
        server.write(answer)
        head, body = await answer_of(reader)

        # In flight when the drain began, answered whole, and told.
        assert (b"\r\nConnection: close\r\n" in head, body) == (True, b"ok")
        assert await reader.read() == b""
        assert front.relay.admission.streams == 0
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
        front.connections.is_draining = True
        front.route.retire()
        front.connections.close_idle()

        assert await idle.read() == b""
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert (await answer_of(waiting))[1] == b"ok"
        assert await waiting.read() == b""
        assert front.relay.admission.streams == 0
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


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"\x16\x03\x01\x02\x00\x01", b""),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    ],
)
@scenario
async def test_what_is_not_http_1_is_refused_and_never_sent_on(sent: bytes, answer: bytes) -> None:
    served: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        served.append(head_of(reader))

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        writer.write(sent)

        said = await reader.read()
        assert said.startswith(answer)
        assert bool(said) is bool(answer)
        assert served == []
        writer.close()
