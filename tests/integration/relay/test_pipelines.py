"""Requests sent ahead of their turn: bounded while they wait, and none nests in another."""

from __future__ import annotations

import asyncio
import sys

import pytest

from llmgwd.relay.http.http_connection import WAITING_BYTES
from support.relay.http_messages import OK, get, post, read_answer
from support.relay.relay_front import relay_front, until
from support.relay.scripted_route import ScriptedRoute, ServedStream

pytestmark = pytest.mark.anyio

# What the loop reads in one go.
READ_BYTES = 256 * 1024
MOST_WAITING_BYTES = WAITING_BYTES + 2 * READ_BYTES
MANY = 2 * sys.getrecursionlimit()


async def answers_ok(stream: ServedStream) -> None:
    await stream.head()
    stream.say(OK)


def answered_at_once(route: ScriptedRoute) -> None:
    """Let each stream be answered before `open` has returned: nothing waits for the loop."""
    opening = route.open

    def open_and_answer(owner: object) -> None:
        opening(owner)  # type: ignore[arg-type]
        route.streams[-1].say(OK)

    route.open = open_and_answer  # type: ignore[method-assign]


async def test_what_waits_its_turn_is_bounded_and_all_of_it_is_served() -> None:
    requests = [post(f"/v1/{number}", bytes(1000)) for number in range(4096)]
    sent = b"".join(requests)
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(sent)
        first = await route.stream()
        looks, before = 0, -1
        while looks < 20:
            looks = looks + 1 if front.context.counters.sent_bytes == before else 0
            before = front.context.counters.sent_bytes
            await asyncio.sleep(0.01)
        waiting = front.context.counters.sent_bytes
        answered_at_once(route)
        first.say(OK)
        answers = [await read_answer(reader) for _ in requests]

        assert waiting <= WAITING_BYTES + READ_BYTES
        assert {answer.status for answer in answers} == {200}
        assert [stream.heard.split(b" ")[1] for stream in route.streams] == [
            request.split(b" ")[1] for request in requests
        ]
        writer.close()


@pytest.mark.parametrize("is_up", [True, False])
async def test_many_pipelined_requests_do_not_nest(is_up: bool) -> None:
    route = ScriptedRoute()
    answered_at_once(route)
    route.is_up = is_up
    async with relay_front(route.up, hold_s=0.0) as front:
        reader, writer = await front.connect()
        writer.write(get("/a") * MANY)
        statuses = {(await read_answer(reader)).status for _ in range(MANY)}

        assert statuses == {200 if is_up else 503}
        assert len(front.records) == min(MANY, 1000)
        assert front.admission.streams == 0
        writer.close()


async def test_a_pipeline_without_end_lets_others_have_their_turn() -> None:
    route = ScriptedRoute()
    answered_at_once(route)
    async with relay_front(route.up) as front:
        greedy_reader, greedy = await front.connect()

        async def ask_without_end() -> None:
            while True:
                greedy.write(get("/greedy") * 1000)
                await greedy.drain()

        async def read_without_end() -> None:
            while await greedy_reader.read(65536):
                pass

        tasks = [
            asyncio.ensure_future(ask_without_end()),
            asyncio.ensure_future(read_without_end()),
        ]
        await until(lambda: len(route.streams) > 2000)
        taken_bytes = front.context.counters.sent_bytes
        assert taken_bytes - len(route.streams) * len(get("/greedy")) < MOST_WAITING_BYTES
        reader, writer = await front.connect()
        writer.write(get("/modest"))

        assert (await asyncio.wait_for(read_answer(reader), 5)).body == b"ok"
        for task in tasks:
            task.cancel()
        greedy.close()
        writer.close()


async def test_a_client_that_reads_no_answer_is_not_asked_for_more() -> None:
    """Each answer is small: only what the socket has not taken says that no one reads."""
    body = bytes(10_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + body

    async def serve(stream: ServedStream) -> None:
        stream.say(answer)

    route = ScriptedRoute(serve)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.transport.pause_reading()
        count = 3000
        writer.write(get("/a") * count)
        looks, before = 0, -1
        while looks < 20:
            looks = looks + 1 if len(route.streams) == before else 0
            before = len(route.streams)
            await asyncio.sleep(0.01)
        held = sum(
            connection._transport.get_write_buffer_size()
            for connection in front.context.connections._all
        )

        assert held <= 1024 * 1024
        writer.transport.resume_reading()
        for _ in range(count):
            assert (await read_answer(reader)).body == body
        writer.close()


async def test_requests_sent_ahead_of_a_half_close_are_all_answered() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get("/a") + post("/b", b"body") + get("/c"))
        first = await route.stream()
        writer.write_eof()
        await until(lambda: all(each.has_finished for each in front.context.connections._all))
        answered_at_once(route)
        first.say(OK)
        answers = [await read_answer(reader) for _ in range(3)]

        assert [answer.body for answer in answers] == [b"ok"] * 3
        assert [answer.field("connection") for answer in answers] == [None, None, "close"]
        assert await reader.read() == b""
        assert len(route.streams) == 3
        await until(lambda: front.connections == 0)
        writer.close()


@pytest.mark.parametrize("rest", [b"GET /b HTTP/1.1\r\nHost: loc", post("/b", b"body")[:-1]])
async def test_a_request_that_ends_in_its_middle_is_not_waited_for(rest: bytes) -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get("/a") + rest)
        writer.write_eof()
        answer = await read_answer(reader)

        assert answer.body == b"ok"
        await until(lambda: front.connections == 0)
        assert front.admission.streams == 0
        writer.close()


async def test_what_waits_behind_the_last_answer_is_never_served() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" + bytes(8_000_000)

    async def serve(stream: ServedStream) -> None:
        stream.say(answer)

    route = ScriptedRoute(serve)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.transport.pause_reading()
        writer.write(get("/a", "Connection: close") + get("/smuggled"))
        await until(lambda: front.admission.streams == 0 and route.streams)
        writer.transport.resume_reading()

        assert len(await reader.read()) > 8_000_000
        assert len(route.streams) == 1
        writer.close()
