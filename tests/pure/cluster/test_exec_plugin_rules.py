"""Login plugins: what they print, and what a person is told to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.auth.exec_plugin import Plugin, understand
from llmgwd.cluster.auth.known_plugins import login_command
from llmgwd.cluster.auth.login_files import login_files, paths_in
from llmgwd.cluster.kubectl import Kubectl
from llmgwd.errors import Blocked

V1 = "client.authentication.k8s.io/v1"
PLUGIN = Plugin("config: user u: exec", "aws", (), {"KEY": "s3cret"}, V1, "", "{}", "aws sso login")


def printed(api_version: str = V1, **status: str) -> bytes:
    answer = {"kind": "ExecCredential", "apiVersion": api_version, "status": status}
    return json.dumps(answer).encode()


def test_a_token_is_taken_with_its_end() -> None:
    renewed = understand(PLUGIN, printed(token="T", expirationTimestamp="2026-01-01T00:00:00Z"))

    assert renewed.credential.headers == {"Authorization": "Bearer T"}
    assert renewed.expires_at == datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def test_a_token_without_an_end_lasts_until_it_is_refused() -> None:
    assert understand(PLUGIN, printed(token="T")).expires_at is None


def test_a_certificate_is_taken_with_its_key() -> None:
    renewed = understand(PLUGIN, printed(clientCertificateData="C", clientKeyData="K"))

    assert renewed.credential.headers == {}
    assert renewed.credential.certificate is not None
    assert renewed.credential.certificate.chain == b"C"
    assert renewed.credential.certificate.key == b"K"


@pytest.mark.parametrize(
    "stdout",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        printed(),
        printed(clientCertificateData="C"),
        printed("client.authentication.k8s.io/v1beta1", token="T"),
        printed(token="T", expirationTimestamp="soon"),
    ],
)
def test_anything_else_is_a_broken_plugin(stdout: bytes) -> None:
    with pytest.raises(Blocked) as caught:
        understand(PLUGIN, stdout)

    assert caught.value.code == ConditionKind.LOGIN_PLUGIN_FAILED


def test_nothing_secret_is_in_a_plugins_text_forms() -> None:
    renewed = understand(
        PLUGIN, printed(token="s3cret", clientCertificateData="s3cret", clientKeyData="s3cret")
    )

    assert "s3cret" not in f"{PLUGIN!r} {renewed!r} {renewed.credential.certificate!r}"


@pytest.mark.parametrize(
    ("command", "arguments", "environment", "shown"),
    [
        (
            "/usr/bin/aws",
            ["eks", "get-token", "--profile", "work"],
            {},
            "aws sso login --profile work",
        ),
        ("aws", ["eks", "get-token", "--profile=work"], {}, "aws sso login --profile work"),
        ("aws", ["eks", "get-token"], {"AWS_PROFILE": "home"}, "aws sso login --profile home"),
        ("gke-gcloud-auth-plugin", [], {}, "gcloud auth login"),
        ("kubelogin", ["get-token", "--tenant-id", "t"], {}, "az login --tenant t"),
        ("tsh", ["kube", "credentials", "--proxy=tele:443"], {}, "tsh login --proxy tele:443"),
        ("oci", ["ce", "cluster", "generate-token"], {}, "oci session authenticate"),
        ("kubectl", ["oidc-login", "get-token"], {}, "kubectl --context homelab get pods"),
        (
            "kubelogin",
            ["get-token", "--oidc-issuer-url=https://x"],
            {},
            "--context homelab get pods",
        ),
        ("corp-login", [], {}, "kubectl --context homelab get pods"),
    ],
)
def test_the_remedy_is_the_command_that_logs_in(
    command: str, arguments: list[str], environment: dict[str, str], shown: str
) -> None:
    assert shown in login_command(command, arguments, environment, Kubectl("homelab"))


def test_the_files_of_a_login_are_known_or_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.setenv("PATH", "/nowhere")

    files = login_files("aws", ["--cache=/srv/tokens/jane", "/"], {"LOGIN": "~/.corp/login"})

    assert files == (
        "/home/jane/.aws/sso/cache",
        "/home/jane/.aws/credentials",
        "/home/jane/.aws/config",
        "/srv/tokens/jane",
        "/home/jane/.corp/login",
    )


def test_of_a_plugin_nobody_knows_the_folders_of_its_name_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/jane")

    files = login_files("kubectl-corp_login", [], {})

    assert "/home/jane/.kube/cache/corp-login" in files
    assert "/home/jane/.config/kubectl-corp_login" in files


def test_the_files_that_a_login_script_names_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".corp").mkdir()
    (tmp_path / ".cache").mkdir()
    script = tmp_path / "corp-login"
    script.write_text(
        "#!/bin/bash\n"
        'test -f ~/.corp/session || test -f "${HOME}/.corp/token" || exit 1\n'
        'curl https://sso.corp.example/device/code > /dev/null; ls "$HOME/.corp" ~/.cache /\n'
        'cat "$(dirname "$0")/beside"\n'
    )
    script.chmod(0o755)

    files = login_files(str(script), [], {})

    assert files[-5:] == (
        str(script),
        *(str(tmp_path / name) for name in (".corp/session", ".corp/token", ".corp", "beside")),
    )
    assert not any("sso.corp.example" in file or "/device" in file for file in files)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = open('/srv/a b')", ["/srv/a"]),
        ("TOKEN=/run/corp/token; cat $TOKEN/2", ["/run/corp/token"]),
        ("Path('~/.corp/t.json').expanduser()", ["/home/jane/.corp/t.json"]),
        ('. "${0%/*}/lib.sh"', ["/opt/corp/lib.sh"]),
        ("a=6/2; b=http://x/y; c=./here/there; $D/e", []),
        ("cat /dev/stdin /proc/self/environ", []),
        ("Path(__file__).with_name('t.json')", ["/opt/corp/t.json"]),
        ('os.path.join(os.path.dirname(__file__), "session")', ["/opt/corp/session"]),
        ('cd "$(dirname "${BASH_SOURCE[0]}")"; cat "token"', ["/opt/corp/token"]),
        ("print('nothing of its own folder')", []),
    ],
)
def test_paths_are_found_in_a_scripts_words(
    text: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/jane")

    assert list(paths_in(f"#!/bin/sh\n{text}\n", "/opt/corp/login")) == found
