"""Kubeconfigs as people have them, and each mistake in one line."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.kubeconfig.files import kubeconfig_paths, read_kubeconfig
from llmgwd.cluster.kubeconfig.kubeconfig import Entry, Kubeconfig, parse_server, read_pem
from llmgwd.errors import Blocked
from llmgwd.net.server import Server


def document(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.com"}}],
        "users": [{"name": name, "user": {"token": f"s3cret-{name}"}}],
        **changes,
    }


def write(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def load(*paths: str, context: str | None = None) -> Kubeconfig:
    return anyio.run(read_kubeconfig, paths, context)


def mistake(*paths: str, context: str | None = None) -> Blocked:
    with pytest.raises(Blocked) as caught:
        load(*paths, context=context)
    assert "\n" not in caught.value.message
    assert "s3cret" not in caught.value.message
    assert "s3cret" not in repr(caught.value.__cause__)
    return caught.value


def test_the_current_context_is_chosen(tmp_path: Path) -> None:
    chosen = load(write(tmp_path / "config", document("home")))

    assert (chosen.context, chosen.cluster_name, chosen.namespace) == ("home", "home", "default")
    assert chosen.server == Server("home.example.com", 443, "", True)


def test_several_files_are_merged_and_the_first_to_say_it_wins(tmp_path: Path) -> None:
    mine = [{"name": name, "user": {"token": "mine"}} for name in "ab"]
    first = write(tmp_path / "a", document("a", users=mine))
    second = write(tmp_path / "b", document("b"))

    chosen = load(first, str(tmp_path / "absent"), second, context="b")

    assert load(first, second).context == "a"
    assert chosen.user.text("token") == "mine"
    assert chosen.cluster.file == second
    assert chosen.files == (first, second)


def test_an_empty_file_among_several_is_passed_over(tmp_path: Path) -> None:
    empty, full = write(tmp_path / "a", ""), write(tmp_path / "b", document("b"))

    assert load(empty, full).context == "b"


def test_relative_paths_count_from_the_kubeconfigs_folder(tmp_path: Path) -> None:
    user = {"client-certificate": "certs/me.crt"}
    path = write(tmp_path / "config", document("a", users=[{"name": "a", "user": user}]))

    pem = read_pem(load(path).user, "client-certificate")

    assert pem is not None
    assert pem.path == str(tmp_path / "certs/me.crt")


def test_no_file_at_all_names_the_places_looked_at(tmp_path: Path) -> None:
    error = mistake(str(tmp_path / "a"), str(tmp_path / "b"))

    assert error.code == ConditionKind.KUBECONFIG_MISSING
    assert f"{tmp_path / 'a'}, {tmp_path / 'b'}" in error.message


def test_the_places_are_the_argument_then_the_variable_then_the_default() -> None:
    environment = {"KUBECONFIG": "/a:/b::", "HOME": "/home/jane"}

    assert kubeconfig_paths("/mine", environment) == ("/mine",)
    assert kubeconfig_paths(None, environment) == ("/a", "/b")
    assert kubeconfig_paths(None, {})[0].endswith("/.kube/config")


def test_a_file_that_is_not_yaml_is_told_with_line_and_column(tmp_path: Path) -> None:
    path = write(tmp_path / "config", "users:\n- token: s3cret\n  a: [1\nb: }\n")

    error = mistake(path)

    assert error.code == ConditionKind.KUBECONFIG_INVALID
    assert error.message.startswith(f"{path}:4:")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("just text", "a value of type str"),
        ("- a\n- b", "a value of type list"),
        (document("a", clusters={"a": 1}), "clusters is not a list"),
        (document("a", users=["a"]), "users[1] is not an entry"),
        (document("a", users=[{"name": "a", "user": "x"}]), "users[1] is not an entry"),
        (document("a", contexts=[{"name": 1}]), "contexts[1] is not an entry"),
        (document("a", users=[{"name": "a"}, {"name": "a"}]), 'users[2] is a second "a"'),
        (document("a", kind="Pod"), 'kind is "Pod"; allowed is Config'),
    ],
)
def test_a_frame_that_is_wrong_says_what_is_allowed(
    tmp_path: Path, content: object, words: str
) -> None:
    error = mistake(write(tmp_path / "config", content))

    assert error.code == ConditionKind.KUBECONFIG_INVALID
    assert words in error.message


def test_a_context_that_does_not_exist_names_those_that_do_nearest_first(tmp_path: Path) -> None:
    contexts = [{"name": n, "context": {"cluster": "a"}} for n in ("work", "homelab", "home")]
    path = write(tmp_path / "config", document("a", contexts=contexts))

    error = mistake(path, context="homelb")

    assert error.code == ConditionKind.CONTEXT_MISSING
    assert '"homelb"' in error.message
    assert "contexts are homelab, home, work" in error.message


def test_no_current_context_names_the_contexts(tmp_path: Path) -> None:
    error = mistake(write(tmp_path / "config", document("a", **{"current-context": ""})))

    assert error.code == ConditionKind.CONTEXT_MISSING
    assert "contexts are a" in error.message


@pytest.mark.parametrize("key", ["cluster", "user"])
def test_a_context_that_leads_to_nothing_names_what_there_is(tmp_path: Path, key: str) -> None:
    context = {"cluster": "a", "user": "a", key: "b"}
    changed = document("a", contexts=[{"name": "a", "context": context}])

    error = mistake(write(tmp_path / "config", changed))

    assert f'context a: {key} is "b"; {key}s are a' in error.message


def entry(**values: Any) -> Entry:
    return Entry("config: cluster c", "/home/jane/.kube/config", values)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://10.0.0.1:6443", Server("10.0.0.1", 6443, "", True)),
        ("https://api.example.com/", Server("api.example.com", 443, "", True)),
        ("https://rancher/k8s/clusters/c-1", Server("rancher", 443, "/k8s/clusters/c-1", True)),
        ("http://localhost:8001", Server("localhost", 8001, "", False)),
        ("https://[fd00::1]:6443", Server("fd00::1", 6443, "", True)),
    ],
)
def test_a_servers_url_is_read(url: str, server: Server) -> None:
    assert parse_server(entry(server=url)) == server


@pytest.mark.parametrize("url", ["", "ftp://x", "https://", "https://x:seventy"])
def test_a_server_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Blocked, match="server is"):
        parse_server(entry(server=url))


def test_a_value_of_the_wrong_type_names_the_key_and_what_is_allowed() -> None:
    with pytest.raises(Blocked) as caught:
        entry(**{"insecure-skip-tls-verify": "yes"}).flag("insecure-skip-tls-verify")

    assert "insecure-skip-tls-verify is a value of type str; allowed is true or false" in str(
        caught.value
    )


def test_data_wins_over_a_file_and_must_be_base64() -> None:
    data = base64.b64encode(b"PEM").decode()
    pem = read_pem(entry(**{"client-key-data": data, "client-key": "x"}), "client-key")

    assert pem is not None
    assert pem.read() == b"PEM"
    with pytest.raises(Blocked, match="client-key-data is not base64"):
        read_pem(entry(**{"client-key-data": "a"}), "client-key")


def test_a_file_that_cannot_be_read_is_named() -> None:
    pem = read_pem(entry(**{"certificate-authority": "absent.crt"}), "certificate-authority")

    assert pem is not None
    with pytest.raises(Blocked) as caught:
        pem.read()
    assert caught.value.code == ConditionKind.CERTIFICATE_UNREADABLE
    assert "certificate-authority: cannot read /home/jane/.kube/absent.crt" in caught.value.message


def test_nothing_secret_is_in_an_entrys_text_form() -> None:
    secret = entry(token="s3cret", **{"client-key-data": base64.b64encode(b"s3cret").decode()})

    assert "s3cret" not in repr(secret)
    assert "s3cret" not in repr(read_pem(secret, "client-key"))
