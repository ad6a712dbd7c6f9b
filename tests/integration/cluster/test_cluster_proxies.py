"""Access to a cluster through the proxies that people have."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from access_answers import problem_by, version_by

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, Transient
from llmgwsim.net.tls import SERVER_NAME, Authority
from support.ports import free_port
from support.scripted_api import (
    VERSION,
    http_proxy,
    kubeconfig,
    serving,
    socks_proxy,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_an_http_proxy_of_the_cluster_is_used_with_its_login(tmp_path: Path) -> None:
    async with serving() as api, http_proxy() as proxy:
        api.answers["/version"] = VERSION
        url = f"http://me:p%40ss@127.0.0.1:{proxy.port}"

        assert await version_by(kubeconfig(tmp_path, api, **{"proxy-url": url})) == "v1.36.2"
        assert proxy.targets == [f"127.0.0.1:{api.port}"]
        assert proxy.logins == ["me:p@ss"]


def shown_by(authority: Authority, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server().write_pem(folder, "proxy"))
    return context


async def test_an_https_proxy_carries_tls_within_tls(tmp_path: Path) -> None:
    authority = Authority()
    tls = shown_by(authority, tmp_path)
    async with serving(authority) as api, http_proxy(tls=tls) as proxy:
        api.answers["/version"] = VERSION
        url = f"https://localhost:{proxy.port}"

        assert await version_by(kubeconfig(tmp_path, api, **{"proxy-url": url})) == "v1.36.2"
        assert proxy.targets == [f"127.0.0.1:{api.port}"]


async def test_an_https_proxy_that_the_clusters_authority_does_not_know_is_named(
    tmp_path: Path,
) -> None:
    async with serving() as api, http_proxy(tls=shown_by(Authority(), tmp_path)) as proxy:
        url = f"https://localhost:{proxy.port}"

        error = await problem_by(kubeconfig(tmp_path, api, **{"proxy-url": url}))

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.TLS_UNTRUSTED
        assert f"the certificate of the proxy {url} is not trusted" in error.message


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


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_out_of_reach_is_the_hop_that_is_named(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    async with serving() as api:
        error = await problem_by(kubeconfig(tmp_path, api, **{"proxy-url": url}))

    assert isinstance(error, Transient)
    assert error.message == (
        f"cannot reach 127.0.0.1:{api.port}: the proxy {url} cannot be reached: Connection refused"
    )
