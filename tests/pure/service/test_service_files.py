"""The units and the plist, as written for one installation."""

from __future__ import annotations

import os
import plistlib
import re
from pathlib import Path

import pytest

from llmgwctl.errors import ClientError
from llmgwctl.service import installation
from llmgwctl.service.environment import capture, commands_in, search_path, setuid_programs
from llmgwctl.service.launchd_agent import NAME, agent, listen_of
from llmgwctl.service.manager import Wanted
from llmgwctl.service.systemd_units import SERVICE, SOCKET, service_unit, socket_unit, values
from llmgwctl.service.unit_files import File, remove, template, write

_WANTED = Wanted(
    llmgwd="/opt/llmgw/bin/llmgwd",
    llmgwctl="/opt/llmgw/bin/llmgwctl",
    environment={"PATH": "/opt/llmgw/bin:/usr/bin", "KUBECONFIG": "/home/me/.kube/config"},
    listen=("127.0.0.1:4000", "[::1]:4000", "127.0.0.1:8080"),
)


def _launchd_keys() -> dict[str, set[str]]:
    """Read the list beside this file, made from launchd.plist(5)."""
    text = (Path(__file__).parent / "launchd_plist_keys.txt").read_text()
    lines = [line.partition(":") for line in text.splitlines() if not line.startswith("#")]
    return {place: set(keys.split()) for place, _, keys in lines}


def _service(wanted: Wanted = _WANTED, version: int = 257) -> str:
    return service_unit(template("systemd", SERVICE), wanted, version)


def test_the_unit_runs_this_installation_with_this_shells_environment() -> None:
    unit = _service()

    assert values(unit, "ExecStart") == ["/opt/llmgw/bin/llmgwd"]
    assert values(unit, "ExecReload") == ["/opt/llmgw/bin/llmgwctl reload"]
    assert values(unit, "Environment") == [
        "KUBECONFIG=/home/me/.kube/config",
        "PATH=/opt/llmgw/bin:/usr/bin",
        "FDSTORE=512",
    ]
    assert values(unit, "FileDescriptorStoreMax") == ["512"]


def test_what_systemd_would_read_otherwise_is_quoted() -> None:
    wanted = _WANTED._replace(
        llmgwd="/home/a b/100%/$HOME/llmgwd", environment={"PATH": '/a b/50%:/c"d:/$e\\f'}
    )

    unit = _service(wanted)

    assert values(unit, "ExecStart") == ['"/home/a b/100%%/$$HOME/llmgwd"']
    assert values(unit, "Environment") == [r'"PATH=/a b/50%%:/c\"d:/$e\\f"', "FDSTORE=512"]


def test_an_older_systemd_is_not_given_what_it_does_not_know() -> None:
    assert values(_service(version=254), "RestartSteps") == ["4"]
    assert values(_service(version=252), "RestartSteps") == []
    assert values(_service(version=252), "RestartMaxDelaySec") == []
    assert values(_service(version=252), "Restart") == ["always"]


def test_a_setuid_plugin_gets_a_unit_in_which_it_works() -> None:
    unit = _service(_WANTED._replace(has_setuid_plugins=True))

    # Any of these makes a user manager set NoNewPrivileges: systemd.exec(5).
    implied = (
        r"^(NoNewPrivileges|SystemCall\w+|Restrict\w+|Lock\w+|Memory\w+|Protect\w+|Private\w+)="
    )
    assert re.findall(implied, unit, re.MULTILINE) == []
    assert values(unit, "LimitCORE") == ["0"]


def test_the_socket_unit_has_the_configurations_addresses() -> None:
    unit = socket_unit(template("systemd", SOCKET), _WANTED)

    assert values(unit, "ListenStream") == list(_WANTED.listen)
    assert values(unit, "BindIPv6Only") == ["ipv6-only"]


def test_the_plist_has_only_keys_that_launchd_knows() -> None:
    job = plistlib.loads(template("launchd", NAME).encode())

    sockets = [key for group in job["Sockets"].values() for each in group for key in each]
    known = _launchd_keys()
    assert job.keys() <= known["job"]
    assert set(sockets) <= known["Sockets"]
    assert job["SoftResourceLimits"].keys() <= known["ResourceLimits"]


def test_the_written_plist_is_the_template_for_this_installation() -> None:
    text = agent(template("launchd", NAME), _WANTED, "/Users/me/Library/Logs/llmgw/llmgwd.log")

    job = plistlib.loads(text.encode())
    assert job.keys() <= _launchd_keys()["job"]
    assert job["ProgramArguments"] == ["/opt/llmgw/bin/llmgwd"]
    assert job["EnvironmentVariables"] == dict(_WANTED.environment)
    assert job["StandardErrorPath"] == "/Users/me/Library/Logs/llmgw/llmgwd.log"
    assert job["KeepAlive"] is True
    assert listen_of(text) == list(_WANTED.listen)
    assert job["Sockets"]["llmgw"][1] == {
        "SockNodeName": "::1",
        "SockServiceName": "4000",
        "SockFamily": "IPv6",
        "SockType": "stream",
    }


def test_the_environment_holds_what_logins_need_and_no_secret(tmp_path: Path) -> None:
    environ = {
        "HOME": "/nowhere",
        "PATH": "/usr/bin:relative:/usr/bin:/gone",
        "KUBECONFIG": "a:/b:~/.kube/c",
        "AWS_PROFILE": "work",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AAD_LOGIN_METHOD": "azurecli",
        "TELEPORT_HOME": "~/tele",
        "OCI_CLI_PASSPHRASE": "secret",
        "LITELLM_MASTER_KEY": "sk-secret",
        "HTTPS_PROXY": "http://me:secret@proxy:3128",
        "no_proxy": "localhost",
        "CLOUDSDK_CONFIG": "",
        "VAULT_ADDR": "https://me:secret@vault",
        "SSL_CERT_FILE": "/etc/a\nExecStart=/bin/sh",
    }

    captured = capture(environ, str(tmp_path))

    assert captured.variables == {
        "PATH": search_path(environ),
        "KUBECONFIG": f"{tmp_path}/a:/b:/nowhere/.kube/c",
        "AWS_PROFILE": "work",
        "AAD_LOGIN_METHOD": "azurecli",
        "TELEPORT_HOME": "/nowhere/tele",
        "no_proxy": "localhost",
    }
    assert captured.withheld == (
        *("AWS_SECRET_ACCESS_KEY", "OCI_CLI_PASSPHRASE", "HTTPS_PROXY"),
        "SSL_CERT_FILE",  # a line's end in a unit would be another setting
        "VAULT_ADDR",
    )


def test_the_search_path_has_each_folder_that_is_there_once() -> None:
    folders = search_path({"HOME": "/nowhere", "PATH": "/bin:.:/usr/bin:/bin:/gone"}).split(":")

    assert folders[:2] == ["/bin", "/usr/bin"]
    assert len(folders) == len(set(folders))
    assert all(os.path.isdir(folder) for folder in folders)


@pytest.mark.parametrize(
    ("path", "kind", "is_doubted"),
    [
        ("/home/me/.local/share/pipx/venvs/llmgw/bin/llmgwd", "pipx", False),
        ("/home/me/.local/share/uv/tools/llmgw/bin/llmgwd", "uv tool", False),
        ("/nix/store/abc-llmgw-0.1.0/bin/llmgwd", "nix", False),
        ("/opt/homebrew/Cellar/llmgw/0.1.0/bin/llmgwd", "Homebrew", False),
        ("/home/me/.cache/uv/archive-v0/x/bin/llmgwd", "uvx, which keeps nothing", True),
        ("/home/me/.local/pipx/.cache/x/bin/llmgwd", "pipx run, which keeps nothing", True),
        ("/tmp/x/bin/llmgwd", "a virtual environment", True),
        ("/usr/bin/llmgwd", "this system", False),
    ],
)
def test_an_installation_that_will_not_last_is_doubted(
    path: str, kind: str, is_doubted: bool
) -> None:
    found, doubt = installation.judge(path, path, {})

    assert found == kind
    assert bool(doubt) == is_doubted


def test_a_source_tree_is_doubted() -> None:
    path = str(Path(__file__).parents[3] / ".venv" / "bin" / "llmgwd")

    kind, doubt = installation.judge(path, path, {})

    assert kind == "a source tree"
    assert "it is part of" in doubt


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_daemon_is_the_one_behind_the_link_that_was_called(tmp_path: Path) -> None:
    daemon = _program(tmp_path / "venv" / "bin" / "llmgwd")
    called = _program(tmp_path / "venv" / "bin" / "llmgwctl")
    link = tmp_path / "bin" / "llmgwctl"
    link.parent.mkdir()
    link.symlink_to(called)

    found = installation.find(str(link), "/usr/bin/python3", {})

    assert found.llmgwd == str(daemon)
    assert found.llmgwctl == str(called)


def test_a_profiles_link_is_preferred_to_a_path_with_a_version(tmp_path: Path) -> None:
    store = _program(tmp_path / "Cellar" / "llmgw" / "0.1.0" / "bin" / "llmgwd")
    profile = tmp_path / "profile" / "bin"
    profile.mkdir(parents=True)
    (profile / "llmgwd").symlink_to(store)
    called = str(store.with_name("llmgwctl"))

    found = installation.find(called, "/usr/bin/python3", {"PATH": str(profile)})

    assert found.llmgwd == str(profile / "llmgwd")


def test_a_client_without_its_daemon_says_so(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="there is no llmgwd next to"):
        installation.find(str(tmp_path / "llmgwctl"), str(tmp_path / "python"), {})


_KUBECONFIG = """
users:
- name: a
  user:
    exec:
      command: aws
      args: ["command: no"]
- name: b
  user: {exec: {"args": []}}
- name: c
  user:
    exec:
      "command": "/opt/kube login"
"""


def test_login_plugins_are_found_in_a_kubeconfig() -> None:
    assert commands_in(_KUBECONFIG) == ["aws", "/opt/kube"]


def test_only_a_setuid_program_costs_the_hardening(tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "plain")
    _program(tmp_path / "bin" / "op").chmod(0o2755)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("command: plain\n")
    config = tmp_path / "config.toml"
    config.write_text('[gateway]\nkey = { command = ["op", "read", "x"] }\n')
    environ = {"KUBECONFIG": str(kubeconfig)}

    assert setuid_programs(environ, str(config), str(tmp_path / "bin")) == ["op"]
    assert setuid_programs(environ, "/nowhere", str(tmp_path / "bin")) == []


def test_a_file_is_written_once_and_removed_once(tmp_path: Path) -> None:
    file = File(str(tmp_path / "units" / "llmgwd.service"), "[Unit]\n")

    assert [write(file), write(file)] == [True, False]
    assert os.listdir(tmp_path / "units") == ["llmgwd.service"]
    assert os.stat(file.path).st_mode & 0o777 == 0o644
    assert [remove(file.path), remove(file.path)] == [True, False]
