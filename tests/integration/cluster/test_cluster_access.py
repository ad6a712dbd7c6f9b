"""Access to a cluster with the credentials, certificates and proxies that people have."""

from __future__ import annotations

import asyncio
import base64
import os
import resource
import ssl
import tempfile
from collections.abc import Awaitable
from pathlib import Path

import anyio
import pytest
from aiohttp import web
from scripted_api import (
    ScriptedApi,
    http_proxy,
    kubeconfig,
    serving,
    socks_proxy,
    status,
)

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.access import open_access
from llmgwd.cluster.api_errors import Action, Forbidden, NotFound, Unauthorized
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwsim.net.tls import SERVER_NAME, Authority, server_context

pytestmark = pytest.mark.anyio
VERSION = {"gitVersion": "v1.36.2"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


async def version_by(path: str) -> str:
    access = await open_access(path, None)
    try:
        return await access.version()
    finally:
        await access.close()


async def error_of(made: Awaitable[object]) -> LlmgwError:
    with pytest.raises(LlmgwError) as caught:
        await made
    return caught.value


async def problem_by(path: str) -> LlmgwError:
    return await error_of(version_by(path))


async def test_a_token_is_sent_and_an_object_comes_back(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"T"}

        assert await version_by(kubeconfig(tmp_path, api)) == "v1.36.2"


async def test_a_name_and_password_are_sent(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION

        await version_by(kubeconfig(tmp_path, api, {"username": "me", "password": "pw"}))

        expected = "Basic " + base64.b64encode(b"me:pw").decode()
        assert api.requests[0].headers["Authorization"] == expected


async def test_a_token_file_that_rotates_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"first"}
        access = await open_access(kubeconfig(tmp_path, api, {"tokenFile": "token"}), None)
        await access.version()

        api.tokens = {"second"}
        replacement = tmp_path / "token.new"
        replacement.write_text("second\n")
        replacement.replace(token)

        assert await access.version() == "v1.36.2"
        assert str(token) in access.credential_files
        assert api.refused == 0
        await access.close()


async def test_a_login_that_the_cluster_refuses_is_told_once(tmp_path: Path) -> None:
    async with serving() as api:
        api.tokens = {"other"}

        error = await problem_by(kubeconfig(tmp_path, api))

        assert isinstance(error, Unauthorized)
        assert error.code == ConditionKind.LOGIN_EXPIRED
        assert len(api.requests) == 1


@pytest.mark.parametrize("as_files", [True, False])
async def test_a_client_certificate_is_shown_and_no_key_stays_on_disk(
    tmp_path: Path, as_files: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    authority = Authority()
    identity = authority.client("jane")
    if as_files:
        identity.write_pem(tmp_path, "jane")
        user = {"client-certificate": "jane.crt", "client-key": "jane.key"}
    else:
        user = {
            "client-certificate-data": base64.b64encode(identity.certificate).decode(),
            "client-key-data": base64.b64encode(identity.key).decode(),
        }
    async with serving(authority, asks_for_certificate=True) as api:
        api.answers["/version"] = VERSION

        assert await version_by(kubeconfig(tmp_path, api, user)) == "v1.36.2"

    assert list(temporary.iterdir()) == []


async def test_a_certificate_file_that_is_replaced_is_used_for_the_next_connection(
    tmp_path: Path,
) -> None:
    authority = Authority()
    Authority().client("jane").write_pem(tmp_path, "jane")
    user = {"client-certificate": "jane.crt", "client-key": "jane.key"}
    async with serving(authority, asks_for_certificate=True) as api:
        api.answers["/version"] = VERSION
        access = await open_access(kubeconfig(tmp_path, api, user), None)
        with pytest.raises(Transient):
            await access.version()

        authority.client("jane").write_pem(tmp_path, "jane")
        os.utime(tmp_path / "jane.crt", (1, 1))

        assert await access.version() == "v1.36.2"
        await access.close()


async def test_an_authority_file_and_a_server_name_are_honoured(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION
        (tmp_path / "ca.crt").write_bytes(api.authority.pem)
        path = kubeconfig(
            tmp_path,
            api,
            **{
                "certificate-authority-data": None,
                "certificate-authority": "ca.crt",
                "tls-server-name": SERVER_NAME,
            },
        )

        assert await version_by(path) == "v1.36.2"


async def test_a_server_name_the_certificate_does_not_hold_is_not_trusted(tmp_path: Path) -> None:
    async with serving() as api:
        error = await problem_by(
            kubeconfig(tmp_path, api, **{"tls-server-name": "other.example.com"})
        )

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.TLS_UNTRUSTED


async def test_an_unknown_authority_is_not_trusted_and_can_be_waived(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION

        error = await problem_by(kubeconfig(tmp_path, api, **{"certificate-authority-data": None}))

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.TLS_UNTRUSTED
        waived = {"certificate-authority-data": None, "insecure-skip-tls-verify": True}
        assert await version_by(kubeconfig(tmp_path, api, **waived)) == "v1.36.2"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"client-certificate": "absent.crt"}, "cannot read"),
        ({"client-certificate-data": base64.b64encode(b"junk").decode()}, "in PEM"),
    ],
)
async def test_an_unreadable_certificate_is_told_when_the_access_is_opened(
    tmp_path: Path, user: dict[str, str], words: str
) -> None:
    with pytest.raises(Blocked) as caught:
        await open_access(kubeconfig(tmp_path, ScriptedApi(Authority()), user), None)

    assert caught.value.code == ConditionKind.CERTIFICATE_UNREADABLE
    assert "user test: client-certificate" in caught.value.message
    assert words in caught.value.message


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

        assert [request.path for request in api.requests] == ["/version"]


async def test_a_403_and_a_404_have_classes_of_their_own(tmp_path: Path) -> None:
    async def forbid(request: web.Request) -> web.Response:
        return status(403, "no")

    async with serving() as api:
        api.answers["/api/v1/namespaces/x/secrets/s"] = forbid
        access = await open_access(kubeconfig(tmp_path, api), None)

        with pytest.raises(Forbidden, match="get secrets in namespace x"):
            await access.get("/api/v1/namespaces/x/secrets/s")
        with pytest.raises(NotFound):
            await access.get("/api/v1/namespaces/x/secrets/t")
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
            async with access.stream("/api/v1/namespaces/n/pods", {"watch": "1"}, 60) as lines:
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
        api.answers["/log"] = silence
        access = await open_access(kubeconfig(tmp_path, api), None)
        seen = []

        async def read() -> None:
            async with access.stream("/log", {}, 0.2) as lines:
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
        api.answers["/log"] = long_lines
        access = await open_access(kubeconfig(tmp_path, api), None)

        async with access.stream("/log", {}, 5) as lines:
            lengths = [len(line) async for line in lines]

        assert lengths == [3_000_000, 5, 4]
        await access.close()


async def test_an_http_proxy_of_the_cluster_is_used_with_its_login(tmp_path: Path) -> None:
    async with serving() as api, http_proxy() as proxy:
        api.answers["/version"] = VERSION
        url = f"http://me:p%40ss@127.0.0.1:{proxy.port}"

        assert await version_by(kubeconfig(tmp_path, api, **{"proxy-url": url})) == "v1.36.2"
        assert proxy.targets == [f"127.0.0.1:{api.port}"]
        assert proxy.logins == ["me:p@ss"]


async def test_an_https_proxy_carries_tls_within_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    (tmp_path / "proxy-ca.crt").write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "proxy-ca.crt"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server().write_pem(tmp_path, "proxy"))
    async with serving() as api, http_proxy(tls=context) as proxy:
        api.answers["/version"] = VERSION
        url = f"https://localhost:{proxy.port}"

        assert await version_by(kubeconfig(tmp_path, api, **{"proxy-url": url})) == "v1.36.2"
        assert proxy.targets == [f"127.0.0.1:{api.port}"]


async def test_a_socks5_proxy_resolves_the_servers_name(tmp_path: Path) -> None:
    async with serving() as api, socks_proxy() as proxy:
        api.answers["/version"] = VERSION
        path = kubeconfig(
            tmp_path,
            api,
            server=f"https://{SERVER_NAME}:{api.port}",
            **{"proxy-url": f"socks5://127.0.0.1:{proxy.port}"},
        )

        assert await version_by(path) == "v1.36.2"
        assert proxy.targets == [f"{SERVER_NAME}:{api.port}"]


async def test_the_environments_proxy_is_used_unless_no_proxy_names_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as api, http_proxy() as proxy:
        api.answers["/version"] = VERSION
        # A name that only the proxy can lead anywhere: this machine itself is always exempt.
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        path = kubeconfig(tmp_path, api, server=f"https://0.0.0.0:{api.port}")

        error = await problem_by(path)

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.TLS_UNTRUSTED
        assert proxy.targets == [f"0.0.0.0:{api.port}"]
        monkeypatch.setenv("NO_PROXY", "0.0.0.0")
        await problem_by(path)
        assert len(proxy.targets) == 1


@pytest.mark.parametrize(("code", "kind"), [(407, Blocked), (502, Transient)])
async def test_a_proxy_that_refuses_is_named_without_its_login(
    tmp_path: Path, code: int, kind: type[Exception]
) -> None:
    async with serving() as api, http_proxy(refuses_with=code) as proxy:
        url = f"http://me:hunter2@127.0.0.1:{proxy.port}"

        error = await problem_by(kubeconfig(tmp_path, api, **{"proxy-url": url}))

        assert isinstance(error, kind)
        assert f"127.0.0.1:{proxy.port}" in str(error)
        assert str(code) in str(error)
        assert "hunter2" not in str(error)


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


async def test_impersonation_is_sent(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION

        await version_by(
            kubeconfig(tmp_path, api, {"token": "T", "as": "jane", "as-groups": ["g"]})
        )

        assert api.requests[0].headers["Impersonate-User"] == "jane"
        assert api.requests[0].headers["Impersonate-Group"] == "g"


async def test_nothing_secret_is_in_the_text_form_of_an_access(tmp_path: Path) -> None:
    async with serving() as api:
        access = await open_access(kubeconfig(tmp_path, api, {"token": "s3cret"}), None)

        assert "s3cret" not in f"{access!r} {await access.credential()!r}"
        await access.close()
