"""Which requests are a web page's, and which page may ask."""

from __future__ import annotations

import pytest

from llmgwd.config.model import ListenAddress, localhost
from llmgwd.net.http1_heads import parse_head, request_line
from llmgwd.relay.http.web_guard import WebGuard, guard_of, is_from_another_site

LISTEN = localhost(4000)
USUAL = guard_of((), (), LISTEN)


def refusal(
    fields: dict[str, str], first: str = "POST /v1/messages HTTP/1.1", guard: WebGuard = USUAL
) -> str:
    """Give the sentence and remedy of the refusal; empty where there is none.

    The first line is taken as on a raw connection, where it is not judged by its form.
    """
    lines = [first, *(f"{name}: {value}" for name, value in fields.items())]
    head = parse_head("\r\n".join(lines).encode("latin-1"))
    trouble = guard.refusal(head, request_line(head))
    if trouble is None:
        return ""
    assert trouble.status == 403
    return f"{trouble.message} {trouble.remedy}"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:4000",
        "localhost:1",
        "LocalHost:4000",
        "localhost.",
        "localhost.:4000",
        "litellm.localhost",
        "a.b.localhost:4000",
        "127.0.0.1",
        "127.0.0.1:4000",
        "127.1.2.3:4000",
        "[::1]",
        "[::1]:4000",
        "host.docker.internal:4000",
        "host.containers.internal",
        "[::1%lo]:4000",
        "[::ffff:127.0.0.1]:4000",
        "127.1:4000",
        "0x7f000001",
        "2130706433",
        "127.0.0.1.",
        "localhost:",
    ],
)
def test_a_request_for_a_name_of_this_machine_passes(host: str) -> None:
    assert refusal({"Host": host}) == ""


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "localhost@evil.example",
        "evil.example@localhost",
        "evil.example@app.localhost",
        "evil.example/app.localhost",
        "evil.example:80:app.localhost",
        "evil.example .localhost",
        "::1",
        "localhost:evil.example",
        "localhost:4000, evil.example",
        "localhost/evil.example",
        "localhost:4000/evil.example",
        "127.0.0.1 evil.example",
        "[::ffff:192.168.1.7]",
        "[fe80::1%lo]",
        "[localhost]@evil.example",
        "0:4000",
        "1.1",
        "localhost:4000@evil.example",
        "0.0.0.0:4000",
        "192.168.1.7:4000",
        "[fe80::1]:4000",
        "[::1",
        "[::1]evil.example",
        "",
        "\xb5.example",
        "\x0blocalhost",
        "local\xffhost",
    ],
)
def test_a_rebound_name_is_refused(host: str) -> None:
    said = refusal({"Host": host})

    assert "no name of this machine" in said
    assert "for localhost," not in said
    assert "for ," not in said
    assert said.isascii()


def test_each_of_several_hosts_must_be_of_this_machine() -> None:
    line = request_line(parse_head(b"GET / HTTP/1.1\r\nHost: x"))
    head = parse_head(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example")

    assert USUAL.refusal(head, line) is not None


def test_a_program_of_http_1_0_sends_no_host_and_passes() -> None:
    assert refusal({}, "GET /v1/models HTTP/1.0") == ""


@pytest.mark.parametrize(
    ("target", "passes"),
    [
        ("http://localhost:4000/v1/models", True),
        ("http://[::1]:4000/v1/models", True),
        ("HTTP://127.0.0.1", True),
        ("http://evil.example/v1/models", False),
        ("https://evil.example?x=http://localhost/", False),
        ("http://localhost@evil.example/", False),
        ("http://localhost:4000\\@evil.example/", False),
        ("http://localhost#@evil.example/", True),
        ("HTTPS://evil.example#@localhost/", False),
        ("ws://evil.example/", False),
        ("ftp://evil.example/", False),
        ("*", True),
        # No authority: these stand in the path.
        ("/redirect?to=http://evil.example/", True),
    ],
)
def test_the_authority_of_a_target_counts_as_well(target: str, *, passes: bool) -> None:
    said = refusal({"Host": "localhost:4000"}, f"GET {target} HTTP/1.1")

    assert (said == "") is passes


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("http://localhost:3000", True),
        ("https://localhost", True),
        ("http://app.localhost:8080", True),
        ("http://127.0.0.1:4000", True),
        ("http://[::1]:4000", True),
        ("https://evil.example", False),
        ("https://localhost.evil.example", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("app://obsidian.md", False),
        ("chrome-extension://abcdefghijklmnop", False),
        ("vscode-webview://localhost", False),
        ("localhost", False),
    ],
)
def test_only_pages_of_this_machine_may_ask(origin: str, *, passes: bool) -> None:
    said = refusal({"Host": "localhost:4000", "Origin": origin})

    assert (said == "") is passes
    if not passes:
        assert "web page" in said
        assert "origins = [" in said


def test_configured_names_and_origins_are_added() -> None:
    guard = guard_of(
        ("gateway.example",),
        ("app://obsidian.md", "null", "https://tool.example:8443"),
        (ListenAddress("192.168.1.7", 4000), ListenAddress("::", 4000)),
    )

    assert refusal({"Host": "gateway.example:99"}, guard=guard) == ""
    assert refusal({"Host": "192.168.1.7"}, guard=guard) == ""
    assert refusal({"Host": "[::]:4000"}, guard=guard) == ""
    assert refusal({"Host": "localhost", "Origin": "app://obsidian.md"}, guard=guard) == ""
    assert refusal({"Host": "localhost", "Origin": "null"}, guard=guard) == ""
    assert refusal({"Host": "localhost", "Origin": "https://tool.example:8443"}, guard=guard) == ""
    assert refusal({"Host": "localhost", "Origin": "https://tool.example"}, guard=guard) != ""
    assert refusal({"Host": "192.168.1.8"}, guard=guard) != ""


NAVIGATION = {
    "Host": "localhost:4000",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none"])
def test_a_browser_s_own_requests_pass(site: str) -> None:
    assert refusal({"Host": "localhost:4000", "Sec-Fetch-Site": site}) == ""


@pytest.mark.parametrize(
    "fields",
    [
        ("Origin: http://localhost", "Origin: https://evil.example"),
        ("Origin: https://evil.example", "Origin: http://localhost"),
        ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"),
        ("Sec-Fetch-Site: cross-site, same-origin",),
        ("sec-fetch-site: Cross-Site",),
    ],
)
def test_a_field_that_is_there_twice_is_judged_by_its_worst(fields: tuple[str, ...]) -> None:
    head = parse_head("\r\n".join(["GET / HTTP/1.1", "Host: localhost", *fields]).encode())

    assert USUAL.refusal(head, request_line(head)) is not None


def test_a_request_that_another_site_started_is_refused() -> None:
    fields = {"Host": "localhost", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}

    assert "another site" in refusal(fields)
    assert "another site" in refusal(fields, "GET /v1/models HTTP/1.1")


@pytest.mark.parametrize(
    ("first", "changed", "passes"),
    [
        ("GET /sso/callback?code=1 HTTP/1.1", {}, True),
        ("POST /ui HTTP/1.1", {}, False),
        ("GET /ui HTTP/1.1", {"Sec-Fetch-Dest": "iframe"}, False),
        ("GET /ui HTTP/1.1", {"Sec-Fetch-Dest": "object"}, False),
        ("GET /ui HTTP/1.1", {"Sec-Fetch-Mode": "cors"}, False),
        ("GET /ui HTTP/1.1", {"Origin": "https://evil.example"}, False),
        ("GET /ui HTTP/1.1", {"Host": "evil.example"}, False),
    ],
)
def test_of_another_site_s_requests_only_a_link_that_is_followed_passes(
    first: str, changed: dict[str, str], *, passes: bool
) -> None:
    assert (refusal({**NAVIGATION, **changed}, first) == "") is passes


def test_a_link_of_another_site_is_known_for_one() -> None:
    lines = [f"{name}: {value}" for name, value in NAVIGATION.items()]

    assert is_from_another_site(parse_head("\r\n".join(["GET / HTTP/1.1", *lines]).encode()))
    assert not is_from_another_site(parse_head(b"GET / HTTP/1.1\r\nHost: localhost"))
