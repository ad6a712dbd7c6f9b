"""Which proxy leads to an API server."""

from __future__ import annotations

import pytest

from llmgwd.errors import Blocked
from llmgwd.net.proxy import Proxy, choose_proxy, is_exempt, parse_proxy
from llmgwd.net.server import Server

REMOTE = Server("api.example.com", 6443, "", True)


def test_the_clusters_own_proxy_wins_and_ignores_no_proxy() -> None:
    environment = {"HTTPS_PROXY": "http://env:1", "NO_PROXY": "*"}

    proxy = choose_proxy(REMOTE, "socks5://mine:2", "x", environment)

    assert proxy == Proxy("socks5", "mine", 2)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_the_environments_proxy_is_used_for_an_https_server(name: str) -> None:
    assert choose_proxy(REMOTE, "", "x", {name: "http://env:8080"}) == Proxy("http", "env", 8080)


def test_a_plain_server_has_its_own_variable() -> None:
    plain = Server("api.example.com", 80, "", False)

    assert choose_proxy(plain, "", "x", {"HTTPS_PROXY": "http://env:1"}) is None
    assert choose_proxy(plain, "", "x", {"HTTP_PROXY": "http://env:1"}) == Proxy("http", "env", 1)


@pytest.mark.parametrize(
    ("host", "rules", "exempt"),
    [
        ("localhost", "", True),
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("api.example.com", "", False),
        ("api.example.com", "*", True),
        ("api.example.com", "example.com", True),
        ("api.example.com", ".example.com", True),
        ("api.example.com", "*.example.com", True),
        ("example.com", ".example.com", False),
        ("badexample.com", "example.com", False),
        ("api.example.com", "other.org, API.example.com ", True),
        ("api.example.com", "example.com:6443", True),
        ("api.example.com", "example.com:443", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::1", "fd00::/8", True),
        ("fd00::1", "[fd00::1]:6443", True),
        ("10.1.2.3", "not/a/network", False),
    ],
)
def test_no_proxy_is_read_as_kubectl_reads_it(host: str, rules: str, exempt: bool) -> None:
    assert is_exempt(host, 6443, rules) is exempt


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("proxy:3128", Proxy("http", "proxy", 3128)),
        ("http://proxy", Proxy("http", "proxy", 80)),
        ("https://proxy", Proxy("https", "proxy", 443)),
        ("socks5://proxy", Proxy("socks5", "proxy", 1080)),
        ("http://u:p%40@proxy:1", Proxy("http", "proxy", 1, "u", "p%40")),
    ],
)
def test_a_proxys_url_is_read(url: str, proxy: Proxy) -> None:
    assert parse_proxy(url, "x") == proxy


@pytest.mark.parametrize("url", ["ftp://proxy", "http://", "http://proxy:seventy", "socks4://p:1"])
def test_a_proxy_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Blocked) as caught:
        parse_proxy(url, "config: cluster c: proxy-url")

    assert caught.value.message.startswith("config: cluster c: proxy-url")


def test_a_proxys_login_is_never_shown() -> None:
    proxy = parse_proxy("http://me:hunter2@proxy:1", "x")

    assert "hunter2" not in f"{proxy} {proxy!r}"
