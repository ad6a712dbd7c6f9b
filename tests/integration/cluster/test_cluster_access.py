"""Requests and streams to an API server: which failure is which, what is kept, and what ends."""

from __future__ import annotations

import asyncio
import os
import resource
from typing import TYPE_CHECKING

import anyio
import pytest
from access_answers import error_of, problem_by
from aiohttp import web

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.access import open_access
from llmgwd.cluster.api_errors import Action, Forbidden, NotFound
from llmgwd.errors import Transient
from llmgwsim.net.tls import Authority, server_context
from support.scripted_api import (
    VERSION,
    ScriptedApi,
    kubeconfig,
    serving,
    status,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_a_server_that_is_away_is_tried_again(tmp_path: Path) -> None:
    async with serving() as api:
        path = kubeconfig(tmp_path, api)

    error = await problem_by(path)

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.API_SERVER_UNREACHABLE
    assert "Connection refused" in error.message


async def test_a_page_where_an_object_belongs_is_tried_again(tmp_path: Path) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>Welcome to the hotel</html>")

    async with serving() as api:
        api.answers["/version"] = page

        error = await problem_by(kubeconfig(tmp_path, api))

        assert isinstance(error, Transient)
        assert error.code == ConditionKind.API_SERVER_FAILING


async def test_a_redirect_never_takes_the_credential_elsewhere(tmp_path: Path) -> None:
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    async with serving() as api:
        api.answers["/version"] = away

        await problem_by(kubeconfig(tmp_path, api))

        assert [request.path for request in api.requests] == ["/version/"]


async def test_a_403_and_a_404_have_classes_of_their_own(tmp_path: Path) -> None:
    async def forbid(request: web.Request) -> web.Response:
        return status(403, "no")

    async with serving() as api:
        api.answers["/api/v1/namespaces/x/secrets/s"] = forbid
        access = await open_access(kubeconfig(tmp_path, api), None)

        with pytest.raises(Forbidden, match="get secrets in namespace x"):
            await access.secret("s", "x")
        with pytest.raises(NotFound):
            await access.secret("t", "x")
        await access.close()


async def test_what_this_login_may_do_can_be_asked(tmp_path: Path) -> None:
    async def review(request: web.Request) -> web.Response:
        asked = (await request.json())["spec"]["resourceAttributes"]
        is_allowed = (asked["verb"], asked["resource"], asked["subresource"]) == (
            "create",
            "pods",
            "portforward",
        )
        return web.json_response({"status": {"allowed": is_allowed}}, status=201)

    async with serving() as api:
        api.answers["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = review
        access = await open_access(kubeconfig(tmp_path, api), None)

        assert await access.self_subject_access(Action("create", "pods/portforward", "", "n"))
        assert not await access.self_subject_access(Action("get", "pods/portforward", "", "n"))
        await access.close()


async def test_many_open_watches_do_not_starve_a_request(tmp_path: Path) -> None:
    is_over = asyncio.Event()
    count = 120

    async def silence(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await is_over.wait()
        return response

    async with serving() as api:
        api.answers["/version"] = VERSION
        access = await open_access(kubeconfig(tmp_path, api), None)
        opened = 0
        all_open = anyio.Event()

        async def watch() -> None:
            nonlocal opened
            pods = access.core.list_namespaced_pod
            async with access.stream(pods, "n", watch=True, read_timeout_s=60) as lines:
                opened += 1
                if opened == count:
                    all_open.set()
                async for _ in lines:
                    pass

        async with anyio.create_task_group() as group:
            for _ in range(count):
                api.watches.put_nowait(silence)
                group.start_soon(watch)
            await all_open.wait()
            assert await access.version() == "v1.36.2"
            is_over.set()
        await access.close()


async def test_connections_are_kept_until_they_are_distrusted(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION
        access = await open_access(kubeconfig(tmp_path, api), None)

        await access.version()
        await access.version()
        access.distrust_connections()
        await access.version()

        first, second, third = api.client_ports
        assert first == second
        assert third != first
        await access.close()


async def test_a_stream_that_falls_silent_ends(tmp_path: Path) -> None:
    is_over = asyncio.Event()

    async def silence(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        await is_over.wait()
        return response

    async with serving() as api:
        api.answers["/api/v1/namespaces/n/pods/p/log"] = silence
        access = await open_access(kubeconfig(tmp_path, api), None)
        seen = []

        async def read() -> None:
            async with access.pod_log("p", "n", {}, 0.2) as lines:
                async for line in lines:
                    seen.append(line)  # noqa: PERF401 - the last look raises

        with pytest.raises(Transient, match="no answer in time"):
            await read()

        is_over.set()
        assert seen == [b"one"]
        await access.close()


async def test_a_line_longer_than_any_buffer_comes_whole(tmp_path: Path) -> None:
    async def long_lines(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 3_000_000 + b"\nshort\ntail")

    async with serving() as api:
        api.answers["/api/v1/namespaces/n/pods/p/log"] = long_lines
        access = await open_access(kubeconfig(tmp_path, api), None)

        async with access.pod_log("p", "n", {}, 5) as lines:
            lengths = [len(line) async for line in lines]

        assert lengths == [3_000_000, 5, 4]
        await access.close()


async def test_an_access_is_closed_soon_where_the_server_says_no_goodbye(tmp_path: Path) -> None:
    authority, is_over = Authority(), asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + b'{"gitVersion":"v1.0"}')
        await is_over.wait()
        writer.transport.abort()

    server = await asyncio.start_server(mute, "127.0.0.1", 0, ssl=server_context(authority))
    api = ScriptedApi(authority, port=server.sockets[0].getsockname()[1])
    access = await open_access(kubeconfig(tmp_path, api), None)
    assert await access.version() == "v1.0"

    with anyio.fail_after(10):  # asyncio alone waits for 30 s
        await access.close()

    is_over.set()
    server.close()


async def test_a_machine_out_of_descriptors_blames_nobody_else(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION
        path = kubeconfig(tmp_path, api)
        access = await open_access(path, None)
        taken = []
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            seen = [await error_of(access.version()), await error_of(open_access(path, None))]
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert [type(error) for error in seen] == [Transient, Transient]
        assert {error.code for error in seen} == {ConditionKind.DESCRIPTORS_EXHAUSTED}
        assert await access.version() == "v1.36.2"
        await access.close()
