"""Every form that a request and its answer may have, on a connection that goes on after it."""

from __future__ import annotations

import asyncio

import pytest

from support.relay.http_messages import OK, get, post, read_answer
from support.relay.relay_front import relay_front, until
from support.relay.scripted_route import ScriptedRoute, ServedStream

pytestmark = pytest.mark.anyio

UPLOAD = b"POST /u HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"


async def answers_ok(stream: ServedStream) -> None:
    await stream.head()
    stream.say(OK)


async def test_each_request_on_a_kept_connection_has_a_stream_of_its_own() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        for number in range(3):
            writer.write(post(f"/v1/messages?{number}", b'{"a":1}', "Connection: keep-alive"))
            answer = await read_answer(reader)
            assert (answer.status, answer.body, answer.field("connection")) == (200, b"ok", None)

        assert [stream.heard for stream in route.streams] == [
            b"POST /v1/messages?%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n"
            b'Connection: close\r\n\r\n{"a":1}' % number
            for number in range(3)
        ]
        assert [stream.end for stream in route.streams] == ["discarded"] * 3
        assert front.admission.streams == 0
        assert [record["outcome"] for record in front.records] == ["answered"] * 3
        writer.close()


async def test_pipelined_requests_are_answered_in_order_and_one_at_a_time() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get("/a") + post("/b", b"body") + get("/c"))
        for number, path in enumerate(("/a", "/b", "/c")):
            stream = await route.stream(number)
            head = await stream.head()
            assert head.split(b" ")[1] == path.encode()
            assert len(route.streams) == number + 1
            stream.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path.encode())

        assert [(await read_answer(reader)).body for _ in range(3)] == [b"/a", b"/b", b"/c"]
        writer.close()


async def test_who_asks_before_it_uploads_hears_the_servers_continue() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(UPLOAD)
        stream = await route.stream()
        assert b"\r\nExpect: 100-continue" in await stream.head()
        stream.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert (await read_answer(reader)).status == 100
        writer.write(b"body")
        assert await stream.body(b"body") == b"body"
        stream.say(OK)

        assert (await read_answer(reader)).body == b"ok"
        writer.close()


async def test_who_is_refused_before_it_uploads_is_not_read_as_its_next_request() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(UPLOAD)
        stream = await route.stream()
        stream.say(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        answer = await read_answer(reader)
        writer.write(get("/smuggled"))

        assert (answer.status, answer.field("connection")) == (417, "close")
        assert await reader.read() == b""
        assert len(route.streams) == 1
        writer.close()


async def test_interim_answers_pass_before_the_final_one() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get())
        stream = await route.stream()
        stream.say(b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\nContent-Length: 5\r\n")
        stream.say(b"Link: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        stream.say(OK)

        hints, *later = [await read_answer(reader) for _ in range(3)]
        # Node ends the connection where it reads any other of these fields.
        assert hints.head == b"HTTP/1.1 103 Early Hints\r\nLink: </x>"
        assert [answer.status for answer in later] == [102, 200]
        writer.close()


async def test_answers_without_a_body_leave_the_connection_in_step() -> None:
    said = {
        b"HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"DELETE": b"HTTP/1.1 204 No Content\r\n\r\n",
        b"GET": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        b"POST": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"PUT": OK,
    }

    async def serve(stream: ServedStream) -> None:
        stream.say(said[(await stream.head()).split(b" ")[0]])

    route = ScriptedRoute(serve)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        for method, expected in said.items():
            writer.write(method + b" /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n")

            assert await reader.readexactly(len(expected)) == expected
        writer.close()


async def test_chunks_and_trailers_pass_both_ways_as_they_came() -> None:
    body = b"5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        stream = await route.stream()
        for at in range(0, len(body), 7):
            writer.write(body[at : at + 7])
            assert await stream.body(body[: at + 7]) == body[: at + 7]
        stream.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for byte in body:
            stream.say(bytes([byte]))

        assert (await read_answer(reader)).body == body
        writer.write(get("/next"))
        assert await (await route.stream(1)).head()
        writer.close()


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get())
        stream = await route.stream()
        stream.say(b"HTTP/1.1 200 OK\r\n\r\nall ")
        stream.say(b"of it")
        stream.close()

        assert await reader.read() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"
        assert front.cuts == []
        writer.close()


async def test_an_answer_without_a_length_that_breaks_is_reset() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get())
        stream = await route.stream()
        stream.say(b"HTTP/1.1 200 OK\r\n\r\nsome of it")
        await reader.readuntil(b"it")
        stream.fail()

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert len(front.cuts) == 1
        writer.close()


@pytest.mark.parametrize(
    "said",
    [
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_an_answer_of_http_1_0_is_one_of_http_1_1_to_a_client_that_stays(
    said: bytes,
) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        for number in range(2):
            writer.write(get())
            (await route.stream(number)).say(b"HTTP/1.0 200 Fine\r\n" + said)
            answer = await read_answer(reader)

            # To Go's client these chunks would be content in HTTP/1.0, and the answer have no end.
            assert answer.head.startswith(b"HTTP/1.1 200 Fine\r\n")
            assert (answer.field("connection"), b"ok" in answer.body) == (None, True)
        writer.close()


@pytest.mark.parametrize(
    ("fields", "told"), [((), "close"), (("Connection: Keep-Alive",), "keep-alive")]
)
async def test_a_client_of_http_1_0_keeps_its_connection_only_if_it_asks(
    fields: tuple[str, ...], told: str
) -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get("/a", *fields, version="1.0"))
        answer = await read_answer(reader)

        assert (answer.status, answer.body) == (200, b"ok")
        assert (answer.field("connection") or "").lower() == told
        if told == "close":
            assert await reader.read() == b""
        else:
            writer.write(get("/b", *fields, version="1.0"))
            assert (await read_answer(reader)).body == b"ok"
        writer.close()


async def test_a_client_that_asks_to_close_is_told_so_and_closed() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        said = await front.ask(get("/a", "Connection: close"))

        assert said == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


async def test_after_an_upgrade_all_bytes_pass_both_ways() -> None:
    switching = (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get("/v1/realtime", "Connection: Upgrade", "Upgrade: websocket"))
        stream = await route.stream()
        assert (await stream.head()).endswith(b"Connection: Upgrade\r\nUpgrade: websocket")
        stream.say(switching + b"\x81\x02hi")
        assert await reader.readexactly(len(switching) + 4) == switching + b"\x81\x02hi"
        writer.write(b"GET / HTTP/1.1\r\n folded\r\n\r\n\x00")
        assert await stream.body(b"\x00") == b"GET / HTTP/1.1\r\n folded\r\n\r\n\x00"
        stream.say(b"HTTP/9 \xff")
        assert await reader.readexactly(8) == b"HTTP/9 \xff"
        stream.close()

        assert await reader.read() == b""
        assert len(route.streams) == 1
        assert [record["status"] for record in front.records] == [101]
        writer.close()


async def test_bytes_sent_before_the_upgrade_was_granted_are_not_lost() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        _, writer = await front.connect()
        writer.write(get("/x", "Connection: Upgrade", "Upgrade: foo") + b"eager")
        stream = await route.stream()
        stream.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\n\r\n")
        writer.write(b", later")

        assert await stream.body(b"later") == b"eager, later"
        writer.close()


async def test_an_upgrade_that_is_not_granted_is_an_answer_like_any() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get("/x", "Connection: Upgrade", "Upgrade: websocket") + get("/y"))

        assert [(await read_answer(reader)).body for _ in range(2)] == [b"ok", b"ok"]
        writer.close()


async def test_an_answer_that_comes_before_the_body_was_sent_ends_the_connection() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        stream = await route.stream()
        stream.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
        answer = await read_answer(reader)

        assert (answer.status, answer.body) == (413, b"big")
        assert answer.field("connection") == "close"
        writer.write(b"x" * 96 + get("/smuggled"))
        assert await reader.read() == b""
        assert len(route.streams) == 1
        await until(lambda: front.admission.streams == 0)
        writer.close()


async def test_an_answer_that_began_before_the_body_was_sent_goes_on_with_it() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nfour")
        stream = await route.stream()
        stream.say(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour")
        await reader.readuntil(b"four")
        writer.write(b"more")
        assert await stream.body(b"more") == b"fourmore"
        stream.say(b"more")

        assert await asyncio.wait_for(reader.readexactly(4), 5) == b"more"
        writer.close()
