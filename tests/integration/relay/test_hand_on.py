"""Idle connections that one daemon hands on and the next one takes over."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from llmgwd.config.model import ListenAddress, Protocol, default_forward
from llmgwd.listening.listeners import Listeners
from llmgwd.listening.sockets import ProcessSockets
from llmgwd.relay import draining
from llmgwd.relay.draining import drain
from llmgwd.service.activation import Inherited
from llmgwd.service.kept_connections import KeptConnections
from llmgwd.service.notify import Notifier
from support.relay.http_messages import OK, get, read_answer
from support.relay.relay_front import relay_front, until
from support.relay.scripted_route import ScriptedRoute, ServedStream
from support.strangers import needs_root, sockets_of_nobody

if TYPE_CHECKING:
    from support.relay.relay_front import RelayFront

pytestmark = pytest.mark.anyio

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answers_ok(stream: ServedStream) -> None:
    await stream.head()
    stream.say(OK)


class Keeper:
    """Keeps copies of up to `limit` sockets, as systemd does."""

    def __init__(self, limit: int = 100) -> None:
        self.kept: list[tuple[bool, socket.socket]] = []
        self._limit = limit

    def __call__(self, speaks_http: bool, sockets: list[socket.socket]) -> int:
        taken = sockets[: self._limit - len(self.kept)]
        self.kept += [(speaks_http, socket.socket(fileno=os.dup(s.fileno()))) for s in taken]
        return len(taken)

    def give(self, front: RelayFront) -> None:
        for speaks_http, sock in self.kept:
            front.listener.take_over(sock, speaks_http=speaks_http)


@contextlib.asynccontextmanager
async def drained(front: RelayFront, keeper: Keeper) -> AsyncIterator[None]:
    """Drain beside the block; it has ended when the block has."""
    connections = front.context.connections
    draining = asyncio.create_task(
        drain(front.admission, connections, has_route=lambda: True, keep=keeper)
    )
    await asyncio.sleep(0)
    yield
    await asyncio.wait_for(draining, 5)


def connected_narrowly(port: int) -> socket.socket:
    """Connect with little room in the kernel for what is not read; else it grows to many MiB."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    sock.connect(("127.0.0.1", port))
    return sock


async def ask(client: Client, request: bytes) -> bytes:
    client[1].write(request)
    answer = await read_answer(client[0])
    assert answer.field("connection") is None
    return answer.body


async def test_what_is_asked_between_two_daemons_is_answered_on_the_same_connection() -> None:
    keeper = Keeper()
    async with relay_front(ScriptedRoute(answers_ok).up) as old:
        used, opened_ahead = await old.connect(), await old.connect()
        assert await ask(used, get()) == b"ok"
        await until(lambda: old.context.connections.idle_count == 2)
        async with drained(old, keeper):
            pass
        used[1].write(get("/1"))
        opened_ahead[1].write(get("/2"))
        await until(lambda: old.connections == 0)

    async with relay_front(ScriptedRoute(answers_ok).up) as new:
        keeper.give(new)
        answers = [await read_answer(client[0]) for client in (used, opened_ahead)]
        assert [answer.body for answer in answers] == [b"ok", b"ok"]
        assert {record["path"] for record in new.records} == {"/1", "/2"}
        for _, writer in (used, opened_ahead):
            writer.close()
        await until(lambda: new.connections == 0)


async def test_while_an_answer_takes_long_the_idle_are_served_and_all_are_handed_on() -> None:
    may_end = asyncio.Event()

    async def slow(stream: ServedStream) -> None:
        if (await stream.head()).startswith(b"GET /slow"):
            await may_end.wait()
        stream.say(OK)

    keeper = Keeper()
    async with relay_front(ScriptedRoute(slow).up) as front:
        idle, busy = await front.connect(), await front.connect()
        assert await ask(idle, get()) == b"ok"
        busy[1].write(get("/slow"))
        await until(lambda: front.admission.streams == 1)
        async with drained(front, keeper):
            assert await ask(idle, get()) == b"ok"
            assert keeper.kept == []
            may_end.set()
            assert (await read_answer(busy[0])).field("connection") is None
        assert [speaks_http for speaks_http, _ in keeper.kept] == [True, True]
        for _, writer in (idle, busy):
            writer.close()
    for _, sock in keeper.kept:
        sock.close()


async def test_a_client_that_asks_without_a_pause_does_not_hold_the_end_up() -> None:
    keeper = Keeper()
    async with relay_front(ScriptedRoute(answers_ok).up) as front:
        client = await front.connect()
        await until(lambda: front.connections)
        client[1].write(get() * 50)
        async with drained(front, keeper):
            pass
        assert len(keeper.kept) == 1
    async with relay_front(ScriptedRoute(answers_ok).up) as new:
        client[1].write(get())
        keeper.give(new)
        for _ in range(51):
            assert (await read_answer(client[0])).body == b"ok"
        client[1].close()


async def test_the_end_waits_for_requests_that_came_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Looked at in each turn of the loop: between an answer and the next request is one without any.
    monkeypatch.setattr(draining, "LOOK_S", 0)
    may_answer = asyncio.Event()

    async def answers_late(stream: ServedStream) -> None:
        await may_answer.wait()
        await answers_ok(stream)

    keeper = Keeper()
    async with relay_front(ScriptedRoute(answers_late).up) as front:
        client = await front.connect()
        client[1].write(get() * 50)
        await until(lambda: front.admission.streams)
        async with drained(front, keeper):
            may_answer.set()
        assert len(keeper.kept) == 1
        assert len(front.records) == 50
        client[1].close()
    keeper.kept[0][1].close()


async def test_what_is_above_the_limit_is_served_once_more_and_told_to_close() -> None:
    keeper = Keeper(limit=1)
    async with relay_front(ScriptedRoute(answers_ok).up) as front:
        first, second = await front.connect(), await front.connect()
        for client in (first, second):
            assert await ask(client, get()) == b"ok"
        async with drained(front, keeper):
            await until(lambda: keeper.kept)
            second[1].write(get())
            answer = await read_answer(second[0])
            assert (answer.body, answer.field("connection")) == (b"ok", "close")
        assert len(keeper.kept) == 1
        for _, writer in (first, second):
            writer.close()
    keeper.kept[0][1].close()


async def test_an_answer_that_its_client_has_not_read_is_written_before_the_hand_over() -> None:
    size = 8 << 20

    async def answers_much(stream: ServedStream) -> None:
        await stream.head()
        stream.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))

    keeper = Keeper()
    async with relay_front(ScriptedRoute(answers_much).up) as front:
        client = await asyncio.open_connection(sock=connected_narrowly(front.port))
        client[1].write(get())
        await until(lambda: front.context.connections.has_unwritten)
        async with drained(front, keeper):
            await asyncio.sleep(0.05)
            assert keeper.kept == []
            assert len((await read_answer(client[0])).body) == size
        assert len(keeper.kept) == 1
        client[1].close()
    keeper.kept[0][1].close()


@pytest.mark.parametrize(
    ("protocol", "goes_on"), [(Protocol.AUTO, True), (Protocol.HTTP, True), (Protocol.TCP, False)]
)
async def test_it_goes_on_by_the_options_that_the_forward_has_now(
    protocol: Protocol, goes_on: bool
) -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up, protocol=protocol, expects_http=False) as front:
        with socket.create_server(("127.0.0.1", 0)) as other:
            client = await asyncio.open_connection(*other.getsockname())
            accepted, _ = other.accept()
        front.listener.take_over(accepted, speaks_http=True)
        if goes_on:
            # Longer than a silent connection waits to become raw.
            await asyncio.sleep(0.05)
            assert route.streams == []
            assert await ask(client, get()) == b"ok"
        else:
            assert await client[0].read() == b""
        client[1].close()


def accepted_by(listening: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Give a client's connection, and the server's end of it."""
    client = socket.create_connection(listening.getsockname())
    client.setblocking(False)
    return client, listening.accept()[0]


async def end_of(client: socket.socket) -> str:
    try:
        got = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), 5)
    except ConnectionResetError:
        return "reset"
    return "answered" if got else "closed"


@needs_root
async def test_what_its_forward_would_not_accept_now_does_not_go_on() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as here,
        socket.create_server(("127.0.0.1", 0)) as elsewhere,
    ):
        own, moved, of_another = accepted_by(here), accepted_by(elsewhere), accepted_by(here)
        with sockets_of_nobody():
            foreign = accepted_by(here)
        found = [("llmgw-kept-1-http-litellm", end) for _, end in (own, moved, foreign)]
        found.append(("llmgw-kept-1-http-gone", of_another[1]))
        kept = KeptConnections(Notifier(), found)
        port = here.getsockname()[1]
        forward = dataclasses.replace(
            default_forward(port), listen=(ListenAddress("127.0.0.1", port),)
        )
        async with relay_front(ScriptedRoute(answers_ok).up) as front:
            sockets, refused = ProcessSockets(Inherited([here]), kept), list[str]()
            listeners = Listeners(forward, sockets, front.context, refused.append, lambda: None)
            await listeners.open()
            kept.close_rest()
            own[0].send(get())

            clients = [client for client, _ in (own, moved, foreign, of_another)]
            ends = [await end_of(client) for client in clients]
            assert ends == ["answered", "closed", "reset", "closed"]
            assert len(refused) == 1
            for client in clients:
                client.close()
            listeners.shut(keep_handed_over=False)
