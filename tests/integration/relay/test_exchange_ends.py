"""How a stream's end ends an exchange: sent again, said in words, or as a reset."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from llmgwd.relay.http.kept_request import ResendBudget
from support.relay.http_messages import OK, get, post, read_answer
from support.relay.relay_front import RelayFront, relay_front, until
from support.relay.scripted_route import LOST, REFUSED, ScriptedRoute, ServedStream

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError

pytestmark = pytest.mark.anyio

CHUNKS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ANTHROPIC, CHAT = "/v1/messages", "/v1/chat/completions"
RESPONSES = "/v1/responses"
GEMINI = "/v1beta/models/gemini-pro:streamGenerateContent"


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


async def answers_ok(stream: ServedStream) -> None:
    await stream.head()
    stream.say(OK)


def counts(front: RelayFront) -> tuple[int, int]:
    return len(front.admission.resends), len(front.cuts)


@pytest.mark.parametrize("request_", [get(), post(), get("/health")])
@pytest.mark.parametrize("cause", [LOST, REFUSED])
async def test_what_no_one_received_is_sent_again_whatever_its_method(
    request_: bytes, cause: LlmgwError
) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(request_)
        for number in range(3):
            (await route.stream(number)).fail(cause, is_unreceived=True)
        last = await route.stream(3)
        last.say(OK)

        assert (await read_answer(reader)).body == b"ok"
        assert {stream.heard for stream in route.streams} == {last.heard}
        assert len(route.streams) == 4
        assert counts(front) == (3, 0)
        assert len(route.refusals) == (3 if cause is REFUSED else 0)
        assert [record["resent"] for record in front.records] == [3]
        writer.close()


async def test_what_no_one_received_and_is_not_kept_is_the_clients_to_repeat() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        front.context.budget = ResendBudget(10)
        reader, writer = await front.connect()
        head, body = post(body=b"x" * 50)[:-50], b"x" * 50
        writer.write(head)
        stream = await route.stream()
        writer.write(body)
        await until(lambda: stream.heard.endswith(body))
        stream.fail(LOST, is_unreceived=True)
        answer = await read_answer(reader)
        writer.write(get("/next"))
        (await route.stream(1)).say(OK)

        assert (answer.status, answer.field("retry-after")) == (503, "1")
        assert b"was not received" in answer.body
        assert answer.field("x-should-retry") is None
        assert (await read_answer(reader)).body == b"ok"
        assert counts(front) == (0, 1)
        writer.close()


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
@pytest.mark.parametrize("how", ["fail", "close"])
async def test_a_safe_request_is_sent_once_more_and_not_twice(method: bytes, how: str) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(method + b" /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for number in range(2):
            getattr(await route.stream(number), how)()
        answer = await read_answer(reader, has_body=method != b"HEAD")

        assert answer.status == 502
        assert len(route.streams) == 2
        assert route.streams[1].owner.avoided_pod == route.streams[0].pod
        assert counts(front) == (1, 1)
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [post(), get("/health"), get("/health?model=x"), get("/x").replace(b"GET", b"DELETE")],
)
@pytest.mark.parametrize("how", ["fail", "close"])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 20", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
async def test_what_may_have_been_received_is_sent_once_and_answered_502(
    request_: bytes, how: str, said: bytes
) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(request_)
        stream = await route.stream()
        stream.say(said)
        getattr(stream, how)()
        if b" 103 " in said:
            assert (await read_answer(reader)).status == 103
        answer = await read_answer(reader)
        writer.write(get("/next"))
        (await route.stream(1)).say(OK)

        assert answer.status == 502
        assert "may have been received" in json.loads(answer.body)["error"]["message"]
        assert answer.field("x-should-retry") is None
        # Only the answer failed: the connection goes on.
        assert (await read_answer(reader)).body == b"ok"
        assert len(route.streams) == 2
        assert counts(front) == (0, 1)
        writer.close()


async def test_an_interim_answer_proves_that_it_was_received() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(post())
        stream = await route.stream()
        stream.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        stream.fail(is_unreceived=True)

        assert [(await read_answer(reader)).status for _ in range(2)] == [100, 502]
        assert len(route.streams) == 1
        writer.close()


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (ANTHROPIC, {"type", "error"}),
        (CHAT, {"error"}),
        (RESPONSES, {"error"}),
        (GEMINI, {"error"}),
    ],
)
async def test_a_502_speaks_the_dialect_of_the_client(path: str, shape: set[str]) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(post(path))
        (await route.stream()).fail()
        body = json.loads((await read_answer(reader)).body)

        assert set(body) == shape
        assert body["error"]["message"].startswith("llmgw: The connection to the cluster broke.")
        if path == GEMINI:
            assert (body["error"]["code"], body["error"]["status"]) == (502, "UNAVAILABLE")
        writer.close()


EVENTS = {
    ANTHROPIC: (b'event: ping\ndata: {"type":"ping"}\n\n', b"event: error\ndata: "),
    CHAT: (b'data: {"choices":[]}\n\n', b"data: "),
    RESPONSES: (b'event: response.created\ndata: {"type":"x"}\n\n', b"event: error\ndata: "),
    GEMINI: (b'data: {"candidates":[{}]}\n\n', b"data: "),
}
LAST = {
    ANTHROPIC: b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    CHAT: b"data: [DONE]\n\n",
    RESPONSES: b'event: response.completed\ndata: {"type":"response.completed"}\n\n',
    GEMINI: b'data: {"candidates":[{"finishReason": "STOP"}]}\n\n',
}


@pytest.mark.parametrize("in_one_piece", [True, False])
@pytest.mark.parametrize("how", ["fail", "close"])
@pytest.mark.parametrize("path", list(EVENTS))
async def test_a_cut_between_two_events_is_an_error_event_and_the_connection_goes_on(
    path: str, how: str, in_one_piece: bool
) -> None:
    route = ScriptedRoute()
    event, begin = EVENTS[path]
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(post(path))
        stream = await route.stream()
        for piece in [CHUNKS + chunk(event)] if in_one_piece else [CHUNKS, chunk(event)]:
            stream.say(piece)
        getattr(stream, how)()
        answer = await read_answer(reader)
        writer.write(get("/next"))
        (await route.stream(1)).say(OK)

        assert answer.body.startswith(chunk(event))
        size, _, rest = answer.body.removeprefix(chunk(event)).partition(b"\r\n")
        said, end = rest[: int(size, 16)], rest[int(size, 16) :]
        assert (said[: len(begin)], end) == (begin, b"\r\n0\r\n\r\n")
        error = json.loads(said.removeprefix(begin))
        assert error["error"]["message"].startswith("llmgw: ")
        assert error["error"]["message"].endswith("The answer is not complete.")
        assert (await read_answer(reader)).body == b"ok"
        assert counts(front) == (0, 1)
        assert front.records[0]["outcome"] == "cut"
        writer.close()


@pytest.mark.parametrize("in_one_piece", [True, False])
@pytest.mark.parametrize("how", ["fail", "close"])
@pytest.mark.parametrize("path", list(EVENTS))
async def test_an_answer_that_had_its_last_event_ends_cleanly(
    path: str, how: str, in_one_piece: bool
) -> None:
    route = ScriptedRoute()
    said = chunk(EVENTS[path][0]) + chunk(LAST[path])
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(post(path))
        stream = await route.stream()
        for piece in [CHUNKS + said] if in_one_piece else [CHUNKS, said]:
            stream.say(piece)
        getattr(stream, how)()

        assert (await read_answer(reader)).body == said + b"0\r\n\r\n"
        assert counts(front) == (0, 0)
        assert front.records[0]["outcome"] == "answered"
        writer.close()


@pytest.mark.parametrize(
    "said",
    [
        CHUNKS + chunk(b"data: half"),
        CHUNKS + chunk(b"data: 1\n\n")[:-3],
        CHUNKS + chunk(b"data: 1\n\n") + b"5\r\nda",
        CHUNKS.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + chunk(b"data: 1\n\n"),
        CHUNKS.replace(b"text/event-stream", b"application/json") + chunk(b"[1]\n\n"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\n",
    ],
)
@pytest.mark.parametrize("how", ["fail", "close"])
@pytest.mark.parametrize("request_", [get(), post()])
async def test_any_other_cut_is_a_reset_and_is_not_asked_for_again(
    request_: bytes, how: str, said: bytes
) -> None:
    route = ScriptedRoute()
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        writer.write(request_)
        stream = await route.stream()
        stream.say(said)
        await reader.readuntil(b"\r\n\r\n")
        getattr(stream, how)()

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert len(route.streams) == 1
        assert counts(front) == (0, 1)
        await until(lambda: front.connections == 0)
        writer.close()


async def test_after_four_refusals_the_forward_is_asked_again_and_the_request_held() -> None:
    route = ScriptedRoute()
    async with relay_front(route.up, hold_s=5) as front:
        reader, writer = await front.connect()
        writer.write(post())
        for number in range(3):
            (await route.stream(number)).fail(REFUSED, is_unreceived=True)
        fourth = await route.stream(3)
        route.is_up = False
        fourth.fail(REFUSED, is_unreceived=True)
        assert len(front.admission.hold) == 1
        await asyncio.sleep(0.01)  # uvloop's clock shows milliseconds
        route.is_up = True
        front.admission.release()
        (await route.stream(4)).say(OK)

        assert (await read_answer(reader)).body == b"ok"
        assert front.cuts == []
        assert front.records[0]["held_s"] > 0
        writer.close()


async def test_the_next_request_of_a_connection_prefers_the_pod_of_the_last() -> None:
    route = ScriptedRoute(answers_ok)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()
        for _ in range(2):
            writer.write(get())
            await read_answer(reader)

        first, second = route.streams
        assert first.owner.preferred_pod is None
        assert second.owner.preferred_pod == first.pod
        assert [record["pod"] for record in front.records] == ["pod-0", "pod-1"]
        writer.close()
