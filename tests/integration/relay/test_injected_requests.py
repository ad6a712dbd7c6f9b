"""The gateway's key in requests that hold the placeholder for it, through a real local port."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import anyio
import pytest

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.relay.http.answer import JUDGED_BYTES
from llmgwd.relay.http.kept_request import RESEND_BYTES
from llmgwd.relay.http.key_injection import KeyInjector
from support.relay.relay_front import RelayFront, relay_front, until
from support.relay.scripted_route import ScriptedRoute, ServedStream

pytestmark = pytest.mark.anyio

FORBIDDEN = Blocked(ConditionKind.PERMISSION_DENIED, "This login may not get the Secret.", "Ask.")
ASK = (
    b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: llmgw\r\n"
    b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
)


def answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def error(kind: str, padding: int = 0) -> bytes:
    said = {"error": {"message": "no" + " " * padding, "type": kind, "code": "401"}}
    return json.dumps(said).encode()


REJECTED = answer("401 Unauthorized", error("token_not_found_in_db"))
ANSWERED = answer("200 OK", b'{"is": "answered"}')


class Source:
    """Gives one key after the other; the last one for good."""

    def __init__(self, *found: str | LlmgwError) -> None:
        self.found = list(found)
        self.reads = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self, _afresh: bool) -> str:
        await self.may_answer.wait()
        self.reads += 1
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(found, LlmgwError):
            raise found
        return found


class Gateway:
    """Accepts one key at each pod; what it was asked stands in the route's streams."""

    def __init__(self, accepted: str, rejection: bytes = REJECTED) -> None:
        self._accepted = f"x-api-key: {accepted}\r\n".encode()
        self._rejection = rejection

    async def serve(self, stream: ServedStream) -> None:
        await stream.head()
        stream.say(ANSWERED if self._accepted in stream.heard else self._rejection)


@contextlib.asynccontextmanager
async def injecting(route: ScriptedRoute, source: Source) -> AsyncIterator[RelayFront]:
    async with relay_front(route.up) as front, anyio.create_task_group() as tasks:
        injector = KeyInjector(source.read)
        front.context.injector = injector
        tasks.start_soon(injector.run)
        yield front
        tasks.cancel_scope.cancel()


async def test_the_gateway_gets_the_key_and_the_client_its_answer() -> None:
    route = ScriptedRoute(Gateway("sk-one").serve)

    async with injecting(route, Source("sk-one")) as front:
        answered = await front.ask(ASK)

    assert answered.startswith(b"HTTP/1.1 200")
    assert b"llmgw" not in route.streams[0].heard
    assert route.streams[0].heard.endswith(b"\r\n\r\n{}")


async def test_a_rejected_request_goes_again_with_the_key_that_is_read_then() -> None:
    route, source = ScriptedRoute(Gateway("sk-new").serve), Source("sk-old", "sk-new")

    async with injecting(route, source) as front:
        answered = await front.ask(ASK)
        await until(lambda: front.records)
        again = await front.ask(ASK)

    assert answered.startswith(b"HTTP/1.1 200")
    assert b"401" not in answered
    assert again.startswith(b"HTTP/1.1 200")
    assert [b"sk-old" in each.heard for each in route.streams] == [True, False, False]
    assert source.reads == 2
    assert (front.records[0]["status"], front.records[0]["resent"]) == (200, 1)


async def test_behind_a_url_a_request_meets_pods_of_both_keys_until_one_takes_its_own() -> None:
    # By the number of the try: the first two teach both keys, then each pod is of the other one.
    of_old = {0, 3, 5, 7, 8}

    async def serve(stream: ServedStream) -> None:
        await stream.head()
        number = route.streams.index(stream)
        takes = b"sk-old" if number in of_old else b"sk-new"
        stream.say(ANSWERED if takes in stream.heard else REJECTED)

    route = ScriptedRoute(serve)
    route.names_pods = False
    async with injecting(route, Source("sk-old", "sk-new")) as front:
        answered = [await front.ask(ASK) for _ in range(4)]

    assert {each[:12] for each in answered} == {b"HTTP/1.1 200"}


async def test_a_rejection_reaches_the_client_where_there_is_no_other_key() -> None:
    route, source = ScriptedRoute(Gateway("sk-other").serve), Source("sk-one")

    async with injecting(route, source) as front:
        answered = await front.ask(ASK)

    assert answered.startswith(b"HTTP/1.1 401")
    assert answered.endswith(error("token_not_found_in_db"))
    assert (len(route.streams), source.reads) == (1, 2)


async def test_a_rejection_that_repeats_the_key_does_not_show_it_to_the_client() -> None:
    said = b'{"error": {"message": "Authentication Error, LiteLLM Virtual Key expected.'
    said += b' Received=no-sk-one, expected to start with \'sk-\'.", "type": "auth_error"}}'
    route = ScriptedRoute(Gateway("sk-other", answer("401 Unauthorized", said)).serve)

    async with injecting(route, Source("no-sk-one")) as front:
        answered = await front.ask(ASK)

    assert answered.endswith(said.replace(b"no-sk-one", b"*********"))


async def test_what_the_gateway_refuses_for_another_reason_is_asked_once() -> None:
    refusal = answer("400 Bad Request", error("budget_exceeded"))
    route, source = ScriptedRoute(Gateway("sk-none", refusal).serve), Source("sk-one", "sk-two")

    async with injecting(route, source) as front:
        answered = await front.ask(ASK)

    assert answered.endswith(error("budget_exceeded"))
    assert (len(route.streams), source.reads) == (1, 1)


async def test_a_rejection_that_is_longer_than_any_of_litellm_s_passes_unjudged() -> None:
    long = answer("401 Unauthorized", error("token_not_found_in_db", JUDGED_BYTES))
    route, source = ScriptedRoute(Gateway("sk-none", long).serve), Source("sk-one", "sk-two")

    async with injecting(route, source) as front:
        answered = await front.ask(ASK)

    assert answered.endswith(error("token_not_found_in_db", JUDGED_BYTES))
    assert (len(route.streams), source.reads) == (1, 1)


async def test_a_request_too_large_to_be_kept_is_answered_and_teaches_the_next_one() -> None:
    body = bytes(RESEND_BYTES + 1)
    large = ASK.replace(b"Content-Length: 2", b"Content-Length: %d" % len(body))[:-2] + body

    async def serve(stream: ServedStream) -> None:
        await stream.head()
        if b"sk-new" in stream.heard:
            stream.say(ANSWERED)
        else:
            await until(lambda: stream.heard.endswith(body))
            stream.say(REJECTED)

    route, source = ScriptedRoute(serve), Source("sk-old", "sk-new")
    async with injecting(route, source) as front:
        rejected = await front.ask(large)
        next_one = await front.ask(ASK)

    assert rejected.startswith(b"HTTP/1.1 401")
    assert next_one.startswith(b"HTTP/1.1 200")
    assert (len(route.streams), source.reads) == (2, 2)


async def test_a_source_that_gives_no_key_is_named_to_the_client() -> None:
    route = ScriptedRoute()

    async with injecting(route, Source(FORBIDDEN)) as front:
        answered = await front.ask(ASK)

    assert answered.startswith(b"HTTP/1.1 503")
    assert b"This login may not get the Secret." in answered
    assert route.streams == []


async def test_requests_wait_for_a_route_before_the_key_is_read() -> None:
    route, source = ScriptedRoute(Gateway("sk-one").serve), Source("sk-one")
    route.is_up = False

    async with injecting(route, source) as front:
        asking = asyncio.ensure_future(front.ask(ASK))
        await until(lambda: len(front.admission.hold) == 1)
        assert source.reads == 0
        route.is_up = True
        front.admission.release()
        answered = await asking

    assert answered.startswith(b"HTTP/1.1 200")


async def test_a_route_that_falls_while_the_key_is_read_is_waited_for() -> None:
    route, source = ScriptedRoute(Gateway("sk-one").serve), Source("sk-one")
    source.may_answer.clear()

    async with injecting(route, source) as front:
        asking = asyncio.ensure_future(front.ask(ASK))
        await until(lambda: front.admission.streams == 1)
        route.is_up = False
        source.may_answer.set()
        await until(lambda: len(front.admission.hold) == 1)
        route.is_up = True
        front.admission.release()

        assert (await asking).startswith(b"HTTP/1.1 200")


async def test_a_client_that_leaves_while_the_key_is_read_leaves_nothing_behind() -> None:
    route, source = ScriptedRoute(Gateway("sk-one").serve), Source("sk-one")
    source.may_answer.clear()

    async with injecting(route, source) as front:
        _, writer = await front.connect()
        writer.write(ASK)
        await until(lambda: front.admission.streams == 1)
        writer.close()
        await until(lambda: front.connections == 0)
        source.may_answer.set()
        await until(lambda: source.reads == 1)

        assert front.records[0]["outcome"] == "cancelled"
        assert (await front.ask(ASK)).startswith(b"HTTP/1.1 200")

    assert len(route.streams) == 1


async def test_a_client_that_leaves_while_another_key_is_read_is_not_asked_for_again() -> None:
    route, source = ScriptedRoute(Gateway("sk-new").serve), Source("sk-old", "sk-new")

    async with injecting(route, source) as front:
        await front.ask(ASK.replace(b"llmgw", b"sk-mine"))
        assert source.reads == 0
        _, writer = await front.connect()
        writer.write(ASK)
        await until(lambda: len(route.streams) == 2)
        source.may_answer.clear()
        writer.close()
        await until(lambda: front.connections == 0)
        source.may_answer.set()
        await until(lambda: source.reads == 2)
        await asyncio.sleep(0)

        assert len(route.streams) == 2


async def test_a_kept_connection_goes_on_after_a_rejection() -> None:
    route, source = ScriptedRoute(Gateway("sk-new").serve), Source("sk-old", "sk-new")
    kept = ASK.replace(b"Connection: close\r\n", b"")

    async with injecting(route, source) as front:
        reader, writer = await front.connect()
        for _ in range(3):
            writer.write(kept)
            assert (await reader.readuntil(b'{"is": "answered"}')).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_keys_of_a_program_s_own_request_are_reported_when_they_are_rejected() -> None:
    rejected: list[set[str]] = []
    route = ScriptedRoute(Gateway("sk-good").serve)

    async with relay_front(route.up) as front:
        front.context.note_rejected_keys = rejected.append
        refused = await front.ask(ASK.replace(b"llmgw", b"sk-bad"))
        await front.ask(ASK.replace(b"llmgw", b"sk-good"))

    assert refused.startswith(b"HTTP/1.1 401")
    assert refused.endswith(error("token_not_found_in_db"))
    assert rejected == [{"sk-bad"}]
