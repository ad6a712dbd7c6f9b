"""Client connections between their requests: silence, idleness, drain, and clients that leave."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Callable

import pytest

from llmgwd.config.model import Protocol
from llmgwd.relay import raw as raw_module
from support.relay.http_messages import OK, get, post, read_answer
from support.relay.relay_front import relay_front, until
from support.relay.scripted_route import LOST, ScriptedRoute, ServedStream

pytestmark = pytest.mark.anyio

Leave = Callable[[asyncio.StreamWriter], None]

only_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can tell gone from half-closed"
)


async def answers_ok(stream: ServedStream) -> None:
    await stream.head()
    stream.say(OK)


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


LEAVE = pytest.mark.parametrize("leave", [pytest.param(close, marks=only_linux), reset])


async def test_a_small_answer_never_waits_for_the_acknowledgement_of_the_one_before() -> None:
    async with relay_front(ScriptedRoute(answers_ok).up) as front:
        _, writer = await front.connect()
        await until(lambda: front.connections)
        (ours,) = front.client_sockets()
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()


async def test_above_the_limit_the_longest_idle_is_closed() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up, idle_limit=2) as front:
        clients = []
        for _ in range(2):
            reader, writer = await front.connect()
            writer.write(get())
            await read_answer(reader)
            clients.append((reader, writer))
        # The first is used again, so that the second has been idle for longest.
        clients[0][1].write(get())
        await read_answer(clients[0][0])
        reader, writer = await front.connect()
        writer.write(get())
        await read_answer(reader)
        clients.append((reader, writer))

        assert await clients[1][0].read() == b""
        for index in (0, 2):
            clients[index][1].write(get())
            assert (await read_answer(clients[index][0])).body == b"ok"
        for _, writer in clients:
            writer.close()


async def test_a_connection_with_a_request_on_it_is_never_closed_as_idle() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up, idle_limit=1) as front:
        busy, writer = await front.connect()
        writer.write(get("/slow"))
        stream = await route.stream()
        others = [await front.connect() for _ in range(3)]
        await until(lambda: front.connections == 2)

        stream.say(OK)
        assert (await read_answer(busy)).body == b"ok"
        for _, other in [*others, (busy, writer)]:
            other.close()


async def test_a_request_that_has_arrived_unread_keeps_its_connection_from_being_closed() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get())
        await read_answer(reader)
        await until(lambda: front.context.connections.idle_count == 1)

        # In one turn of the loop: the bytes are in the kernel, no one has read them.
        os.write(writer.get_extra_info("socket").fileno(), get())
        front.context.connections.close_idle()

        assert (await read_answer(reader)).body == b"ok"
        writer.close()


async def test_while_draining_a_request_on_a_kept_connection_is_served_and_told_to_close() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get())
        assert (await read_answer(reader)).field("connection") is None
        front.context.connections.is_draining = True
        writer.write(get("/late"))
        answer = await read_answer(reader)

        assert (answer.body, answer.field("connection")) == (b"ok", "close")
        assert await reader.read() == b""
        writer.close()


async def test_while_draining_idle_connections_are_closed_and_delay_nothing() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        silent, writer = await front.connect()
        used, other = await front.connect()
        other.write(get())
        await read_answer(used)
        await until(lambda: front.context.connections.idle_count == 2)
        assert front.admission.streams == 0
        front.context.connections.close_idle()

        assert (await silent.read(), await used.read()) == (b"", b"")
        await until(lambda: front.connections == 0)
        writer.close()
        other.close()


async def test_silence_is_no_request_where_http_is_expected() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        await until(lambda: front.context.connections.idle_count == 1)
        await asyncio.sleep(0.1)
        assert route.streams == []
        writer.write(get())

        assert (await read_answer(reader)).body == b"ok"
        writer.close()


async def test_elsewhere_a_silent_client_hears_the_server_first() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up, expects_http=False) as front:
        reader, writer = await front.connect()
        stream = await route.stream()
        stream.say(b"220 ready\r\n")
        assert await reader.readline() == b"220 ready\r\n"
        # The server has spoken: this is no HTTP, whatever it looks like.
        writer.write(get())
        await until(lambda: stream.heard == get())
        stream.close()

        assert await reader.read() == b""
        assert front.records == []
        writer.close()


async def test_a_silent_client_that_asks_before_the_server_spoke_is_an_http_client_after_all() -> (
    None
):
    route = ScriptedRoute()
    async with relay_front(route.up, expects_http=False) as front:
        reader, writer = await front.connect()
        silent = await route.stream()
        writer.write(get())
        carrying = await route.stream(1)
        carrying.say(OK)

        assert (await read_answer(reader)).body == b"ok"
        assert (silent.heard, silent.end) == (b"", "discarded")
        assert b"\r\nConnection: close\r\n\r\n" in carrying.heard
        assert [record["status"] for record in front.records] == [200]
        assert front.admission.streams == 0
        writer.close()


@pytest.mark.parametrize("sent", [b"\x16\x03\x01", b"SSH-2.0-x\r\n", b"GET /\r\n"])
@pytest.mark.parametrize("expects_http", [True, False])
async def test_other_bytes_pass_raw_both_ways(sent: bytes, expects_http: bool) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up, expects_http=expects_http) as front:
        reader, writer = await front.connect()
        writer.write(sent)
        stream = await route.stream()
        writer.write(b"more")
        await until(lambda: stream.heard == sent + b"more")
        stream.say(b"\xff")
        assert await reader.read(1) == b"\xff"
        stream.close()

        assert await reader.read() == b""
        assert (front.records, front.admission.streams) == ([], 0)
        writer.close()


async def test_by_protocol_tcp_a_request_is_bytes_like_any() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up, protocol=Protocol.TCP) as front:
        reader, writer = await front.connect()
        writer.write(get())
        stream = await route.stream()
        assert stream.heard == get()
        stream.fail(LOST)

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert len(route.streams) == 1
        writer.close()


async def test_by_protocol_http_other_bytes_are_answered_400() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up, protocol=Protocol.HTTP, expects_http=False) as front:
        reader, writer = await front.connect()
        await asyncio.sleep(0.05)
        writer.write(b"\x16\x03\x01")

        assert (await read_answer(reader)).status == 400
        assert await reader.read() == b""
        assert route.streams == []
        writer.close()


async def test_where_a_route_carries_only_http_raw_bytes_are_ended() -> None:
    route = ScriptedRoute()
    route.carries_raw = False
    async with relay_front(route.up) as front:
        assert await front.ask(b"\x16\x03\x01") == b""
        assert route.streams == []
        await until(lambda: front.connections == 0)


@LEAVE
async def test_a_client_that_leaves_while_it_is_held_is_forgotten(leave: Leave) -> None:
    route = ScriptedRoute(answers_ok)
    route.is_up = False
    async with relay_front(route.up) as front:
        _, writer = await front.connect()
        writer.write(post())
        await until(lambda: len(front.admission.hold) == 1)
        leave(writer)
        await until(lambda: len(front.admission.hold) == 0)
        route.is_up = True
        front.admission.release()

        assert route.streams == []
        assert [record["outcome"] for record in front.records] == ["cancelled"]
        await until(lambda: front.connections == 0)


@LEAVE
@pytest.mark.parametrize("behind", [b"", get("/next"), get("/next") + post("/big", bytes(40_000))])
async def test_a_client_that_leaves_ends_its_stream_even_with_requests_in_wait(
    leave: Leave, behind: bytes
) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        _, writer = await front.connect()
        writer.write(post() + behind)
        await writer.drain()
        stream = await route.stream()
        leave(writer)
        await until(lambda: stream.end)

        assert len(route.streams) == 1
        assert stream.end == ("reset" if leave is reset else "discarded")
        assert (front.admission.streams, front.cuts) == (0, [])
        await until(lambda: front.connections == 0)


@LEAVE
async def test_a_client_that_leaves_in_line_for_a_stream_is_withdrawn(leave: Leave) -> None:
    route = ScriptedRoute()
    route.has_room = False
    async with relay_front(route.up) as front:
        _, writer = await front.connect()
        writer.write(post())
        await until(lambda: route.waiting)
        leave(writer)
        await until(lambda: not route.waiting)

        assert front.admission.streams == 0
        await until(lambda: front.connections == 0)


async def test_a_held_request_is_carried_when_there_is_a_route_and_its_body_flows_on() -> None:
    route = ScriptedRoute()
    route.is_up = False
    body = bytes(range(256)) * 4096
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(post("/v1/messages", body))
        await until(lambda: len(front.admission.hold) == 1)
        await asyncio.sleep(0.05)
        held_bytes = front.context.counters.sent_bytes
        route.is_up = True
        front.admission.release()
        stream = await route.stream()
        await until(lambda: stream.heard.endswith(body))
        stream.say(OK)

        assert (await read_answer(reader)).body == b"ok"
        # One read of the loop may go beyond the limit.
        assert held_bytes <= raw_module.UNSENT_BYTES + 256 * 1024
        assert front.records[0]["held_s"] > 0
        writer.close()


async def test_a_hold_that_expires_is_answered_503_and_the_connection_goes_on() -> None:
    route = ScriptedRoute(answers_ok)
    route.is_up = False
    async with relay_front(route.up, hold_s=0.1) as front:
        reader, writer = await front.connect()
        writer.write(post())
        refused = await read_answer(reader)
        route.is_up = True
        writer.write(post())

        assert (refused.status, refused.field("connection")) == (503, None)
        assert refused.field("retry-after") == "1"
        assert (await read_answer(reader)).body == b"ok"
        assert [record["outcome"] for record in front.records] == ["unavailable", "answered"]
        writer.close()
