"""Which login of a user's entry counts, and whom it impersonates: client-go's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from llmgwd.cluster.auth.credentials import impersonation
from llmgwd.cluster.auth.entry_rules import unknown_keys
from llmgwd.cluster.auth.logins import login_for, plugin_command
from llmgwd.cluster.kubeconfig.kubeconfig import Entry, Kubeconfig
from llmgwd.errors import Blocked

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "command": "absent-plugin"}
CERTIFICATE = {"client-certificate": "c", "client-key": "k"}


def chosen(server: str = "https://s", /, **user: Any) -> Kubeconfig:
    cluster = Entry("config: cluster c", "/config", {"server": server})
    return Kubeconfig(
        ("/config",), "c", "default", "c", cluster, Entry("config: user u", "/config", user)
    )


def authorization(kubeconfig: Kubeconfig) -> str:
    credential = anyio.run(login_for(kubeconfig).current)
    return credential.headers.get("Authorization", "")


@pytest.mark.parametrize(
    ("content", "sent"), [("F\n", "Bearer F"), (None, "Bearer T"), ("\n", "Bearer T")]
)
def test_a_token_stands_in_for_a_token_file_that_gives_none(
    tmp_path: Path, content: str | None, sent: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)

    assert authorization(chosen(token="T", tokenFile=str(path))) == sent


def test_a_certificate_leaves_the_plugin_out() -> None:
    assert plugin_command(chosen(exec=PLUGIN)) == "absent-plugin"
    assert plugin_command(chosen(exec=PLUGIN, **CERTIFICATE)) is None
    assert authorization(chosen(exec=PLUGIN, **CERTIFICATE)) == ""


def test_no_login_goes_over_plain_http() -> None:
    assert authorization(chosen("http://s", token="T")) == ""
    assert plugin_command(chosen("http://s", exec=PLUGIN)) is None


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"token": "T\n"}, "user u: token has a line's end"),
        ({"token": "T", "username": "a"}, "token stands beside a username"),
        ({"tokenFile": "t", "username": "a"}, "tokenFile stands beside a username"),
        ({"exec": PLUGIN, "auth-provider": {"name": "oidc"}}, "exec stands beside auth-provider"),
        ({"client-certificate": "c"}, "client-key is missing"),
        ({**CERTIFICATE, "client-key-data": "k"}, "client-key stands beside client-key-data"),
        ({"exec": {**PLUGIN, "env": [{"name": "A", "value": 1}]}}, "env holds a value that is no"),
        ({"exec": {**PLUGIN, "interactiveMode": "x"}}, 'interactiveMode is "x"'),
    ],
)
def test_what_client_go_refuses_is_refused_with_its_key(user: dict[str, Any], words: str) -> None:
    with pytest.raises(Blocked) as caught:
        login_for(chosen(**user))

    assert words in caught.value.message


def test_impersonation_has_a_header_for_each_group_and_value() -> None:
    user = {
        "as": "Jörg",
        "as-uid": "7",
        "as-groups": ["a", "b"],
        "as-user-extra": {"of/scope%": ["x", "y"]},
    }

    assert impersonation(chosen(**user).user) == (
        ("Impersonate-User", "Jörg"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-of%2Fscope%25", "x"),
        ("Impersonate-Extra-of%2Fscope%25", "y"),
    )
    assert impersonation(chosen(token="T").user) == ()


@pytest.mark.parametrize(
    "user", [{"as-groups": ["a"]}, {"as": "a\nb"}, {"as": "a", "as-user-extra": {"k": "v"}}]
)
def test_an_impersonation_that_would_be_another_is_refused(user: dict[str, Any]) -> None:
    with pytest.raises(Blocked, match="user u"):
        impersonation(chosen(**user).user)


def test_a_key_that_nothing_reads_is_named_with_its_place() -> None:
    kubeconfig = chosen(token="T", **{"as-group": ["a"]})

    assert unknown_keys(kubeconfig.user, kubeconfig.cluster) == ("config: user u: as-group",)
