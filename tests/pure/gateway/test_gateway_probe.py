"""What an answer behind a route says about the gateway's health."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from llmgwd.config.model import Probe, ProbeKind
from llmgwd.errors import Blocked, Transient
from llmgwd.gateway.answer import Answer
from llmgwd.gateway.probe import (
    ANSWER_S,
    READINESS_EVERY_S,
    TCP_SETTLE_S,
    ProbeResult,
    liveliness,
    probe,
    readiness,
)
from support.http_answers import ALIVE, http

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self.now = 0.0
        loop = self

        class Selector(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
            def select(self, timeout: float | None = None) -> Any:
                ready = super().select(0)
                if not ready and timeout:
                    loop.now += timeout
                return ready

        super().__init__(Selector())

    def time(self) -> float:
        return self.now


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, float]:
    """Run to the end on virtual time; also give the instant of the end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(work())
        loop = runner.get_loop()
        return result, loop.time()


def answer(status: int, body: bytes | object, **headers: str) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


class Server:
    """Answers each connection by path with given bytes, then closes; `None` stays silent."""

    def __init__(self, **by_path: bytes | None) -> None:
        self.by_path = by_path
        self.asked: list[str] = []
        self.open = 0

    async def connect(self) -> tuple[asyncio.StreamReader, Server.Writer]:
        self.open += 1
        reader = asyncio.StreamReader()
        return reader, Server.Writer(self, reader)

    class Writer:
        def __init__(self, server: Server, reader: asyncio.StreamReader) -> None:
            self.server, self.reader = server, reader

        def write(self, data: bytes) -> None:
            path = data.split(b" ")[1].decode()
            self.server.asked.append(path)
            answered = self.server.by_path[path.rpartition("/")[2]]
            if answered is not None:
                self.reader.feed_data(answered)
                self.reader.feed_eof()

        def close(self) -> None:
            self.server.open -= 1


LITELLM = {
    "liveliness": http(200, ALIVE),
    "readiness": http(
        200, {"status": "healthy", "db": "Not connected", "litellm_version": "1.80.0"}
    ),
}


def code_of(result: ProbeResult) -> str | None:
    return result.problem.code if result.problem else None


def test_litellm_is_known_by_its_sentence() -> None:
    assert liveliness(answer(200, ALIVE)) == ProbeResult(True)


@pytest.mark.parametrize(
    ("given_answer", "code", "said"),
    [
        (answer(200, b"<html>hello"), "not-litellm", "200 “<html>hello”"),
        (answer(200, {"status": "ok"}), "not-litellm", "status"),
        (answer(404, {"detail": "Not Found"}), "not-litellm", "404"),
        (answer(401, b"who are you"), "not-litellm", "401"),
        (answer(307, b"", location="https://login.example"), "not-litellm", "a redirect"),
        (
            answer(400, b"Client sent an HTTP request to an HTTPS server."),
            "not-litellm",
            "speaks HTTPS",
        ),
        (answer(503, {"status": "shutting_down"}), "gateway-unhealthy", "shutting down"),
        (answer(502, b"bad gateway"), "gateway-unhealthy", "502 “bad gateway”"),
        (answer(500, b"\x1b[31mInternal"), "gateway-unhealthy", "“·[31mInternal”"),
    ],
)
def test_any_other_answer_is_named_with_what_came(
    given_answer: Answer, code: str, said: str
) -> None:
    result = liveliness(given_answer)

    assert result.healthy is False
    assert code_of(result) == code
    assert result.problem is not None
    assert said in result.problem.message
    assert result.problem.remedy or code == "gateway-unhealthy"


@pytest.mark.parametrize(
    ("given_answer", "database", "version"),
    [
        # 1.80
        (answer(200, {"status": "connected", "db": "connected", "litellm_version": "1.80.0"}),
         "connected", "1.80.0"),
        (answer(200, {"status": "healthy", "db": "Not connected", "litellm_version": "1.80.0"}),
         "not-connected", "1.80.0"),
        (answer(503, {"detail": "Service Unhealthy (All connection attempts failed)"}),
         "down", None),
        # 1.104
        (answer(200, {"status": "healthy", "db": "connected"}), "connected", None),
        (answer(200, {"status": "healthy", "db": "Not connected"}), "not-connected", None),
        (answer(503, {"status": "healthy", "db": "disconnected"}), "down", None),
        (answer(200, {"status": "healthy", "db": "stalled"}), "down", None),
        # custom_auth, and what is not readiness at all
        (answer(401, {"error": {"message": "no key"}}), None, None),
        (answer(200, b"[]"), None, None),
        (answer(200, {"db": None, "litellm_version": 7}), None, None),
    ],
)  # fmt: skip
def test_readiness_tells_database_and_version_in_both_generations(
    given_answer: Answer, database: str | None, version: str | None
) -> None:
    result = readiness(given_answer)

    assert (result.healthy, result.database, result.version) == (True, database, version)
    assert code_of(result) == ("database-down" if database == "down" else None)


def test_a_gateway_that_shuts_down_is_not_a_lost_database() -> None:
    assert code_of(readiness(answer(503, {"status": "shutting_down"}))) == "gateway-unhealthy"


def test_a_litellm_is_probed_alive_with_version_and_database() -> None:
    server = Server(**LITELLM)

    result, _ = run(lambda: probe(Probe(), server.connect))

    assert result.healthy is True
    assert (result.version, result.database, result.problem) == ("1.80.0", "not-connected", None)
    assert result.latency_s is not None
    assert server.asked == ["/health/liveliness", "/health/readiness"]
    assert server.open == 0


def test_readiness_is_kept_and_asked_again_after_a_while() -> None:
    server = Server(**LITELLM)

    async def many() -> list[ProbeResult]:
        results = [await probe(Probe(), server.connect)]
        for _ in range(7):
            await asyncio.sleep(10)
            results.append(await probe(Probe(), server.connect, previous=results[-1]))
        return results

    results, ended_at = run(many)

    assert ended_at == 70
    assert server.asked.count("/health/readiness") == 1 + 70 // READINESS_EVERY_S
    assert {result.version for result in results} == {"1.80.0"}


def test_a_readiness_that_asks_for_a_key_is_not_asked_again() -> None:
    server = Server(liveliness=http(200, ALIVE), readiness=http(401, {"error": {}}))

    async def many() -> ProbeResult:
        result = await probe(Probe(), server.connect)
        await asyncio.sleep(1000)
        return await probe(Probe(), server.connect, previous=result)

    result, _ = run(many)

    assert result.healthy is True
    assert server.asked.count("/health/readiness") == 1


def test_a_lost_database_is_asked_about_until_it_is_back() -> None:
    server = Server(liveliness=http(200, ALIVE), readiness=http(503, {"detail": "Unhealthy"}))

    async def until_back() -> tuple[ProbeResult, ProbeResult]:
        lost = await probe(Probe(), server.connect)
        server.by_path["readiness"] = http(200, {"db": "connected"})
        return lost, await probe(Probe(), server.connect, previous=lost)

    (lost, back), _ = run(until_back)

    assert (lost.healthy, lost.database, code_of(lost)) == (True, "down", "database-down")
    assert (back.healthy, back.database, back.problem) == (True, "connected", None)


def test_a_silent_gateway_is_said_to_be_silent_in_bounded_time() -> None:
    server = Server(liveliness=None)

    result, ended_at = run(lambda: probe(Probe(), server.connect))

    assert (result.healthy, code_of(result), ended_at) == (False, "gateway-silent", ANSWER_S)
    assert server.open == 0


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        (b"", "gateway-unhealthy", "without an answer"),
        (b"-ERR unknown command 'GET'\r\n", "not-litellm", "“-ERR unknown"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "not-litellm", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "not-litellm", "not HTTP"),
    ],
)
def test_a_port_of_another_program_is_said_so(raw: bytes, code: str, said: str) -> None:
    result, _ = run(lambda: probe(Probe(), Server(liveliness=raw).connect))

    assert (result.healthy, code_of(result)) == (False, code)
    assert result.problem is not None
    assert said in result.problem.message


@pytest.mark.parametrize(
    ("error", "healthy"),
    [
        (Transient("dial-refused", "The pod refused."), False),
        (Blocked("login-expired", "Log in."), None),
    ],
)
def test_a_failing_route_leaves_the_gateway_unjudged(
    error: Transient | Blocked, healthy: bool | None
) -> None:
    async def connect() -> Any:
        raise error

    result, _ = run(lambda: probe(Probe(), connect))

    assert (result.healthy, result.problem) == (healthy, error)


def test_off_asks_nothing() -> None:
    server = Server()

    result, _ = run(lambda: probe(Probe(ProbeKind.OFF), server.connect))

    assert result == ProbeResult(None)


def test_tcp_is_healthy_when_the_stream_stays_open() -> None:
    result, ended_at = run(lambda: probe(Probe(ProbeKind.TCP), Server().connect))

    assert (result.healthy, ended_at) == (True, TCP_SETTLE_S)


def test_tcp_is_unhealthy_when_the_stream_ends_at_once() -> None:
    async def connect() -> Any:
        reader, writer = await Server().connect()
        reader.feed_eof()
        return reader, writer

    result, _ = run(lambda: probe(Probe(ProbeKind.TCP), connect))

    assert (result.healthy, code_of(result)) == (False, "gateway-unhealthy")


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (404, True), (500, False)])
def test_a_path_is_healthy_below_500(status: int, healthy: bool) -> None:
    server = Server(ping=http(status, b"pong"))

    result, _ = run(lambda: probe(Probe(ProbeKind.HTTP, "/ping"), server.connect))

    assert result.healthy is healthy
    assert server.asked == ["/ping"]
