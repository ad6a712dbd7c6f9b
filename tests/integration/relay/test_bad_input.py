"""Bytes that are no request or no answer: answered in words, and reaching no one else."""

from __future__ import annotations

import asyncio
import json

import pytest

from llmgwd.net.http1 import MAX_HEAD_BYTES
from llmgwd.relay import detection
from llmgwd.relay.http import http_connection
from support.relay.http_messages import OK, get, post, read_answer
from support.relay.relay_front import relay_front
from support.relay.scripted_route import ScriptedRoute, ServedStream

pytestmark = pytest.mark.anyio

H = b"Host: localhost\r\n"
BAD = {
    "a folded line": b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n",
    "lengths that differ": b"POST / HTTP/1.1\r\n" + H
    + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\n" + H
    + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a bare CR": b"GET / HTTP/1.1\r\n" + H + b"A: b\rc\r\n\r\n",
    "another coding": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\n" + H + H + b"\r\n",
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\n" + H + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}  # fmt: skip
EACH = pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())


async def answers_ok(stream: ServedStream) -> None:
    await stream.head()
    stream.say(OK)


@EACH
async def test_a_bad_request_is_answered_400_ends_the_connection_and_reaches_no_one(
    bad: bytes,
) -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(bad + get("/smuggled"))
        answer = await read_answer(reader)

        assert (answer.status, answer.field("connection")) == (400, "close")
        message = json.loads(answer.body)["error"]["message"]
        assert "cannot be passed on" in message
        assert ("use HTTP/1.1" in message) is bad.startswith(b"PRI")
        assert await reader.read() == b""
        assert route.streams == []
        writer.close()


@EACH
async def test_a_bad_request_behind_a_good_one_spoils_only_itself(bad: bytes) -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get("/good") + bad + get("/smuggled"))

        assert (await read_answer(reader)).status == 200
        assert (await read_answer(reader)).status == 400
        assert await reader.read() == b""
        assert len(route.streams) == 1
        writer.close()


@pytest.mark.parametrize(
    ("path", "is_anthropic"), [(b"/v1/messages", True), (b"/v1/chat/completions", False)]
)
async def test_a_bad_request_is_answered_in_its_dialect(path: bytes, is_anthropic: bool) -> None:
    async with relay_front(ScriptedRoute().up) as front:
        reader, writer = await front.connect()
        writer.write(b"POST " + path + b" HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n")
        body = json.loads((await read_answer(reader)).body)

        assert ("type" in body) is is_anthropic
        assert body["error"]["type"] == "invalid_request_error"
        writer.close()


@pytest.mark.parametrize("after", [b"", get("/first")])
async def test_a_head_above_its_limit_is_answered_431(after: bytes) -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(after + b"POST /v1/messages HTTP/1.1\r\nA: " + b"x" * MAX_HEAD_BYTES)
        if after:
            assert (await read_answer(reader)).status == 200
        answer = await read_answer(reader)

        assert (answer.status, answer.field("connection")) == (431, "close")
        assert json.loads(answer.body)["type"] == "error"
        assert await reader.read() == b""
        assert len(route.streams) == bool(after)
        writer.close()


@pytest.mark.parametrize("before", [b"", get("/first")])
@pytest.mark.parametrize("begun", [b"POST /v1/mess", b"POST /v1/messages HTTP/1.1\r\nHost: loc"])
async def test_a_head_that_does_not_end_in_time_is_answered_408(
    before: bytes, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "HEAD_S", 0.1)
    monkeypatch.setattr(http_connection, "HEAD_S", 0.1)
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(before)
        if before:
            assert (await read_answer(reader)).status == 200
        writer.write(begun)
        answer = await read_answer(reader)

        assert (answer.status, answer.field("connection")) == (408, "close")
        assert await reader.read() == b""
        assert len(route.streams) == bool(before)
        writer.close()


async def test_a_head_in_time_is_not_late_because_its_body_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detection, "HEAD_S", 0.1)
    monkeypatch.setattr(http_connection, "HEAD_S", 0.1)
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(post("/v1/messages", b"1234")[:-4])
        stream = await route.stream()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        writer.write(b"1234")
        await stream.body(b"1234")
        stream.say(OK)

        assert (await read_answer(reader)).body == b"ok"
        writer.close()


CHUNKED = b"POST /v1/messages HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_a_body_that_is_none_is_answered_400_and_its_stream_reset() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(CHUNKED + b"2\r\nab\r\n")
        stream = await route.stream()
        writer.write(b"2\r\nabXX" + get("/smuggled"))
        answer = await read_answer(reader)

        assert (answer.status, answer.field("connection")) == (400, "close")
        assert await reader.read() == b""
        assert (stream.end, len(route.streams)) == ("reset", 1)
        assert b"smuggled" not in stream.heard
        writer.close()


async def test_a_body_that_is_none_is_answered_before_any_stream_was_had() -> None:
    route = ScriptedRoute()
    route.has_room = False
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(CHUNKED + b"2\r\nabXX" + get("/smuggled"))
        answer = await read_answer(reader)

        assert (answer.status, answer.field("connection")) == (400, "close")
        assert await reader.read() == b""
        assert (route.waiting, route.streams, front.admission.streams) == ([], [], 0)
        writer.close()


async def test_a_body_that_is_none_after_the_answer_began_resets_both_ends() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(CHUNKED)
        stream = await route.stream()
        stream.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await reader.readuntil(b"half")
        writer.write(b"xyz\r\n")

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert stream.end == "reset"
        assert front.admission.streams == 0
        writer.close()


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * MAX_HEAD_BYTES,
    ],
    ids=lambda said: said[:60].decode(),
)
@pytest.mark.parametrize("request_", [get("/v1/models"), post("/v1/messages")])
async def test_a_bad_answer_is_502_is_not_asked_for_again_and_the_client_goes_on(
    said: bytes, request_: bytes
) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(request_)
        stream = await route.stream()
        stream.say(said)
        answer = await read_answer(reader)
        writer.write(get("/next"))
        (await route.stream(1)).say(OK)

        assert answer.status == 502
        assert "not HTTP/1" in json.loads(answer.body)["error"]["message"]
        assert (await read_answer(reader)).body == b"ok"
        assert stream.end == "reset"
        assert len(route.streams) == 2
        writer.close()


async def test_chunks_of_an_answer_that_are_none_reset_the_client() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(get())
        stream = await route.stream()
        stream.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        stream.say(b"2\r\nabXX")

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert stream.end == "reset"
        writer.close()
