"""A key serves the gateway that it is of, and no other."""

from __future__ import annotations

import textwrap

import pytest

from llmgwd.config.file import parse
from llmgwd.config.key_source import DEFAULT, Env, File
from llmgwd.errors import ConfigError

PATH = "/home/ada/.config/llmgw/config.toml"


def keys_of(text: str) -> dict[str, object]:
    return {each.name: each.key for each in parse(textwrap.dedent(text), PATH).forwards}


def test_without_a_file_the_only_forward_has_the_default_key() -> None:
    assert keys_of("") == {"litellm": DEFAULT}


def test_forwards_to_one_target_share_the_key_and_others_have_none() -> None:
    assert keys_of(
        """
        [[forward]]
        name = "litellm"

        [[forward]]
        name = "dashboard"
        listen = 4001
        port = 8080
        probe = "tcp"

        [[forward]]
        name = "elsewhere"
        listen = 4002
        namespace = "other"

        [gateway]
        key = { env = "KEY" }
        """
    ) == {"litellm": Env("KEY"), "dashboard": Env("KEY"), "elsewhere": None}


def test_a_forward_that_is_named_or_has_a_key_of_its_own_has_one() -> None:
    assert keys_of(
        """
        [[forward]]
        name = "litellm"

        [[forward]]
        name = "tailnet"
        listen = 4001
        url = "https://a.ts.net"

        [[forward]]
        name = "own"
        listen = 4002
        url = "https://b.example"
        key = { file = "/run/key" }

        [gateway]
        key = { env = "KEY" }
        forwards = ["tailnet"]
        """
    ) == {"litellm": Env("KEY"), "tailnet": Env("KEY"), "own": File("/run/key")}


def test_the_key_is_injected_where_it_belongs_and_where_a_forward_says_otherwise_not() -> None:
    config = parse(
        textwrap.dedent(
            """
            [[forward]]
            name = "litellm"

            [[forward]]
            name = "plain"
            listen = 4001
            inject = false

            [[forward]]
            name = "elsewhere"
            listen = 4002
            namespace = "other"

            [gateway]
            inject = true
            """
        ),
        PATH,
    )

    assert {each.name: each.injects_key for each in config.forwards} == {
        "litellm": True,
        "plain": False,
        "elsewhere": False,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[forward]]\nallow = "anyone"\n[gateway]\ninject = true', "would let anyone use the key"),
        (
            '[[forward]]\n[[forward]]\nname="b"\nlisten=1\nurl="https://b"\ninject = true',
            "no key is configured",
        ),
        ('[[forward]]\n[gateway]\nforwards = ["lite"]', "names of forwards: litellm"),
    ],
)
def test_what_would_give_the_key_away_is_a_mistake(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, PATH)

    assert words in refused.value.message


def test_injection_needs_a_system_that_tells_whose_a_connection_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    with pytest.raises(ConfigError, match="does not tell whose a connection is"):
        parse("[gateway]\ninject = true", PATH)
