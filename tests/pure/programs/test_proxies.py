"""Which proxy a request to a forward would take, and how it is exempted."""

from __future__ import annotations

import pytest

from llmgwctl.gateway.programs.program import NODE_PROXIES, USUAL_PROXIES
from llmgwctl.gateway.proxies import exemptions, proxy_for

URL = "http://localhost:4000"
PROXY = "http://proxy:3128"
NAMES = "localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    ("exempt", "name"),
    [
        ("", "http_proxy"),
        ("localhost,.corp", None),
        ("*", None),
        ("127.0.0.1", "http_proxy"),
        ("localhost:4000", None),
        ("localhost:9", "http_proxy"),
        (".localhost", None),
    ],
)
def test_a_proxy_that_would_get_our_requests_is_found(exempt: str, name: str | None) -> None:
    environ = {"http_proxy": PROXY, "no_proxy": exempt}

    assert proxy_for(URL, environ, USUAL_PROXIES) == name


def test_claude_sends_http_to_the_https_proxy_and_the_sdks_do_not() -> None:
    environ = {"HTTPS_PROXY": PROXY}

    assert proxy_for(URL, environ, NODE_PROXIES) == "HTTPS_PROXY"
    assert proxy_for(URL, environ, USUAL_PROXIES) is None


@pytest.mark.parametrize(
    ("environ", "changed"),
    [
        ({}, {}),
        ({"NO_PROXY": "corp"}, {}),
        ({"HTTPS_PROXY": PROXY}, {"no_proxy": NAMES, "NO_PROXY": NAMES}),
        (
            {"all_proxy": PROXY, "NO_PROXY": "corp,localhost"},
            {
                "no_proxy": "corp,localhost,127.0.0.1,::1",
                "NO_PROXY": "corp,localhost,127.0.0.1,::1",
            },
        ),
        ({"http_proxy": PROXY, "NO_PROXY": "*", "no_proxy": "*"}, {}),
        ({"http_proxy": PROXY, "NO_PROXY": NAMES, "no_proxy": NAMES}, {}),
        ({"Http_Proxy": PROXY}, {"no_proxy": NAMES, "NO_PROXY": NAMES}),
        (
            {"http_proxy": PROXY, "NO_PROXY": "*,corp", "no_proxy": "127.0.0.0/8 localhost"},
            {
                "NO_PROXY": f"*,corp,{NAMES}",
                "no_proxy": "127.0.0.0/8 localhost,127.0.0.1,::1",
            },
        ),
    ],
)
def test_both_lists_are_extended_only_where_there_is_a_proxy(
    environ: dict[str, str], changed: dict[str, str]
) -> None:
    assert exemptions(URL, environ) == changed
