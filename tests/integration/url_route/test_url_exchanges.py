"""Exchanges through the url route, between a real client socket and a real upstream socket."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

import pytest
from url_scenario import get, ok, scenario

from llmgwd.errors import Blocked
from llmgwsim.net.tls import Authority, server_context
from peers.conformance.pki import chains
from support.url_upstream import answer_of, front_of, head_of, upstream


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
            b"Authorization: Bearer sk-1\r\nConnection: close\r\n\r\n" % port
        ]
        assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b"ok")
        writer.close()


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
        error = front.problems[0]

        assert isinstance(error, Blocked)
        assert error.code == "tls-untrusted"
        assert "SSL_CERT_FILE" in error.remedy
        assert not front.route.is_up


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@scenario
async def test_an_offer_of_http_2_costs_no_body() -> None:
    sizes: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Upgrade" not in head_of(reader)
        sizes.append(len(await reader.readexactly(300_000)))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\n")
        writer.write(b"Content-Length: 2\r\n\r\nok")

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        curl = await asyncio.create_subprocess_exec(
            *("curl", "--silent", "--show-error", "--http2", "--max-time", "10"),
            *("--data-binary", "@-", f"http://127.0.0.1:{front.port}/v1/messages"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await curl.communicate(b"x" * 300_000)

    assert (printed, sizes) == (b"ok", [300_000])


@pytest.mark.parametrize("chain", ["intermediate", "rotated"])
@scenario
async def test_any_certificate_that_the_system_trusts_ends_a_chain(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, trusted = chains(Authority().pem)[chain]
    bundle = tmp_path / "authorities.pem"
    bundle.write_bytes(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    context = server_context(shown)

    async with upstream(ok, tls=context) as port, front_of(f"https://localhost:{port}") as front:
        reader, writer = await front.connect()
        writer.write(get())
        _, body = await answer_of(reader)

        assert body == b"ok"
        writer.close()


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

        assert await reader.readexactly(5) == b"0\r\n\r\n"
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
        writer.write(
            b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
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
        writer.write(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(payload)
        )
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
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\n")
        writer.write(b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
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
        writer.write(answers[head_of(reader).split(b" ")[0]])
        await reader.read()

    async with upstream(serve) as port, front_of(f"http://127.0.0.1:{port}") as front:
        reader, writer = await front.connect()
        for method, expected in answers.items():
            writer.write(method + b" /v1/some/long/path HTTP/1.1\r\nHost: localhost\r\n\r\n")

            assert await reader.readexactly(len(expected)) == expected
        writer.close()


@scenario
async def test_pipelined_requests_are_answered_in_order() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = head_of(reader).split(b" ")[1]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(path) + path)
        await reader.read()

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
        assert b"\r\nConnection: Upgrade\r\n" in head
        assert await reader.readexactly(4) == b"\x81\x02hi"
        writer.write(b"\x81\x00GET /"[:6])

        assert await reader.readexactly(7) == b"\x00\x81\x00GET "
        writer.close()
