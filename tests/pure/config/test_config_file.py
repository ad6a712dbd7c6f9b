"""The configuration file: what it may say, and the one line each mistake gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.config.file import parse, read
from llmgwd.config.key_source import Command
from llmgwd.config.model import (
    Allow,
    ClusterRoute,
    ForwardConfig,
    ListenAddress,
    MetricsConfig,
    Probe,
    ProbeKind,
    Protocol,
    UrlRoute,
    default_forward,
    localhost,
)
from llmgwd.config.target import Target
from llmgwd.errors import ConfigError
from support.json_values import nested

PATH = "/home/ada/.config/llmgw/config.toml"


def test_no_file_is_the_forward_that_needs_no_configuration(tmp_path: Path) -> None:
    config = read(str(tmp_path / "config.toml"))

    assert not config.is_present
    assert config.forwards == (
        ForwardConfig(
            "litellm",
            (ListenAddress("127.0.0.1", 4000), ListenAddress("::1", 4000)),
            (ClusterRoute("litellm", Target.parse("service/litellm"), "4000"),),
        ),
    )


def test_an_empty_file_means_the_same_as_none() -> None:
    assert parse("", PATH).forwards == (default_forward(),)


def test_a_full_file_is_read_as_written() -> None:
    config = parse(
        """
        [[forward]]
        name = "litellm"
        listen = ["localhost:4000", "192.168.1.5:4001"]
        context = "homelab"
        kubeconfig = "cluster.yaml"
        namespace = "llm"
        target = "deployment/litellm"
        port = "http"
        hold = "1.5m"
        hold_limit = 8
        probe = "/live"
        probe_every = "30s"
        tunnels = 16
        protocol = "http"
        allow = ["caddy", "www-data", "1001"]
        hosts = ["Gateway.example.net.", "[FD00::1]"]
        origins = ["app://Chat.example", "http://b:3000", "file://"]
        fallback = ["https://a.ts.net/", "http://b:8080/x"]

        [[forward]]
        name = "direct"
        listen = 4002
        url = "https://a.ts.net"
        hold = "500ms"
        probe = "tcp"
        allow = "anyone"

        [gateway]
        key = { command = ["pass", "litellm"] }

        [metrics]
        listen = "localhost:9400"
        allow = ["prometheus"]

        [log]
        level = "debug"
        """,
        PATH,
    )

    assert config.forwards == (
        ForwardConfig(
            name="litellm",
            listen=(*localhost(4000), ListenAddress("192.168.1.5", 4001)),
            routes=(
                ClusterRoute(
                    "llm",
                    Target.parse("deployment/litellm"),
                    "http",
                    "homelab",
                    "/home/ada/.config/llmgw/cluster.yaml",
                ),
                UrlRoute("https://a.ts.net"),
                UrlRoute("http://b:8080/x"),
            ),
            hold_s=90.0,
            hold_limit=8,
            probe=Probe(ProbeKind.HTTP, "/live", 30.0),
            tunnel_limit=16,
            protocol=Protocol.HTTP,
            allow=Allow(("caddy", "www-data", "1001")),
            hosts=("gateway.example.net", "fd00::1"),
            origins=("app://chat.example", "http://b:3000", "file://"),
            key=Command(("pass", "litellm")),
        ),
        ForwardConfig(
            "direct",
            localhost(4002),
            (UrlRoute("https://a.ts.net"),),
            0.5,
            probe=Probe(ProbeKind.TCP),
            allow=Allow(is_anyone=True),
            # It leads where the other's fallback leads.
            key=Command(("pass", "litellm")),
        ),
    )
    assert config.gateway.key == Command(("pass", "litellm"))
    assert config.metrics == MetricsConfig(ListenAddress("127.0.0.1", 9400), Allow(("prometheus",)))
    assert config.log_level == "debug"


MISTAKES = {
    '[[forward]]\nname="a"\n\n[[forward]]\nname="b"\nport = 70000': (
        ":6: forward[2].port is 70000; "
        "allowed: a port from 1 to 65535, or the name of a port in quotes"
    ),
    '[[forward]]\nhold = "soon"': (
        ':2: forward[1].hold is "soon"; '
        'allowed: a duration such as "30s", "500ms" or "2m", at most 24h'
    ),
    "[[forward]]\nhold = 30": (
        ':2: forward[1].hold is 30; allowed: a duration such as "30s", "500ms" or "2m", at most 24h'
    ),
    '[[forward]]\ntargte = "service/x"': (
        ':2: forward[1].targte is not allowed; did you mean "target"? allowed here: allow, '
        "context, fallback, hold, hold_limit, hosts, inject, key, kubeconfig, listen, name, "
        "namespace, origins, port, probe, probe_every, protocol, target, tunnels, url"
    ),
    "forwrd = 1": (
        ':1: forwrd is not allowed; did you mean "forward"? '
        "allowed here: forward, gateway, log, metrics, notify"
    ),
    "[[forward]]\nport = true": (
        ":2: forward[1].port is true; "
        "allowed: a port from 1 to 65535, or the name of a port in quotes"
    ),
    '[[forward]]\nname = "a"\nlisten = "localhost:4000"\n[[forward]]\nname = "b"': (
        ':4: forward[2].listen is "127.0.0.1:4000"; '
        'allowed: an address of its own: forward "a" listens there'
    ),
    '[[forward]]\nname="a"\nlisten=1\n[[forward]]\nname="a"\nlisten=2': (
        ':5: forward[2].name is "a"; allowed: a name of its own: forward[1] is called that'
    ),
    '[[forward]]\nlisten = "example.com:4000"': (
        ':2: forward[1].listen is "example.com:4000"; allowed: "localhost:4000", an IP address '
        'and a port from 1 to 65535 such as "127.0.0.1:4000" or "[::1]:4000", or a list of these'
    ),
    '[[forward]]\nurl = "ftp://x"': (
        ':2: forward[1].url is "ftp://x"; allowed: an address such as "https://litellm.example.net"'
    ),
    '[[forward]]\nurl = "http://x"\nnamespace = "litellm"': (
        ':3: forward[1].namespace is "litellm"; allowed: nothing, because url leads to the gateway '
        "without a cluster (a URL to use while the cluster is away is called fallback)"
    ),
    '[[forward]]\ntarget = "litellm"': (
        ':2: forward[1].target is "litellm"; allowed: "service/NAME", "deployment/NAME", '
        '"statefulset/NAME", "pod/NAME" or a label selector such as "app=litellm"'
    ),
    "[[forward]]\nhold_limit = -1": (
        ":2: forward[1].hold_limit is -1; allowed: a number from 0 to 65536"
    ),
    '[[forward]]\nprotocol = "https"': (
        ':2: forward[1].protocol is "https"; allowed: "auto", "http" or "tcp"'
    ),
    '[[forward]]\nallow = "caddy"': (
        ':2: forward[1].allow is "caddy"; allowed: "anyone", or a list of users such as ["caddy"]'
    ),
    '[[forward]]\nallow = ["anyone"]': (
        ':2: forward[1].allow is ["anyone"]; '
        'allowed: "anyone", or a list of users such as ["caddy"]'
    ),
    '[[forward]]\nhosts = ["a.example:4000"]': (
        ':2: forward[1].hosts is ["a.example:4000"]; '
        'allowed: a list of host names without ports, such as ["gateway.example.net"]'
    ),
    '[[forward]]\norigins = ["null"]': (
        ':2: forward[1].origins is ["null"]; allowed: a list of origins such as '
        '["app://chat.example"] or ["https://example.net"]'
    ),
    "[metrics]\nallow = 9100": (
        ':2: metrics.allow is 9100; allowed: "anyone", or a list of users such as ["prometheus"]'
    ),
    '[metrics]\nlisten = "0.0.0.0:9400"': (
        ':2: metrics.listen is "0.0.0.0:9400"; '
        'allowed: an address of this machine such as "127.0.0.1:9400"'
    ),
    '[log]\nlevel = "loud"': (
        ':2: log.level is "loud"; allowed: "debug", "info", "warning" or "error"'
    ),
    "gateway = 3": ":1: gateway is 3; allowed: a table that begins with [gateway]",
    "port = 4000 4001": (
        ": is not TOML: Expected newline or end of document after a statement "
        "(at line 1, column 13)"
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_one_line_with_file_key_value_and_what_is_allowed(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, PATH)

    assert refused.value.message == PATH + MISTAKES[text]


@pytest.mark.parametrize(
    "text",
    [
        '[gateway]\nkey = "sk-verysecret"',
        '[gateway]\nkey = { env = "sk-verysecret" }',
        '[gateway]\nkey = { env = "A", file = "sk-verysecret" }',
    ],
)
def test_a_key_written_into_the_file_itself_is_never_shown(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, PATH)

    assert refused.value.message.startswith(f"{PATH}:2: gateway.key")
    assert "verysecret" not in refused.value.message


def test_an_unreadable_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory$"):
        read(str(tmp_path))


KEYS = st.sampled_from(["forward", "name", "port", "gateway", "key", "listen", "env", "log"])


@given(nested(st.none() | st.booleans() | st.integers() | st.text(max_size=8), KEYS))
def test_whatever_the_file_holds_a_mistake_is_all_that_comes_of_it(value: object) -> None:
    text = "".join(f"{key} = {_toml(each)}\n" for key, each in _tables(value))

    assert "\n" not in _refusal(text)


def _refusal(text: str) -> str:
    try:
        parse(text, PATH)
    except ConfigError as mistake:
        return mistake.message
    return ""


def _tables(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else [("forward", value)]


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return '"' + "".join(c for c in str(value) if c.isalnum()) + '"'
