"""run and env lead programs to the forward: a program that shows what it was given stands in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmgwctl.wire import ApiPath
from support.called import call
from support.running_daemon import RunningDaemon, running

if TYPE_CHECKING:
    import subprocess

    from llmgwsim.remote import RemoteCluster

MASTER_KEY = "sk-demo-master-key"
SHOWING = """#!/usr/bin/env python3
import json, os, sys
print(json.dumps({"words": sys.argv[1:], "environ": dict(os.environ)}))
"""


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    with running(tmp_path, simulated_cluster.kubeconfig) as running_daemon:
        running_daemon.wait_for("ready")
        listed = {"forward": "litellm"}
        running_daemon.wait_until(
            lambda: running_daemon.client.get(ApiPath.MODELS, listed)["age_s"] is not None, "listed"
        )
        yield running_daemon


@pytest.fixture
def claude(tmp_path: Path) -> str:
    """A program of Claude Code's name that prints its words and variables."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(SHOWING)
    program.chmod(0o755)
    return str(program)


def shown(ended: subprocess.CompletedProcess[str]) -> tuple[list[str], dict[str, str]]:
    assert ended.returncode == 0, ended
    given = json.loads(ended.stdout)
    return given["words"], given["environ"]


def test_the_daemon_lists_the_models_by_itself(daemon: RunningDaemon) -> None:
    listed = daemon.client.get(ApiPath.MODELS, {"forward": "litellm"})

    assert listed["models"] == ["claude-haiku", "claude-sonnet", "gpt-mini"]
    assert 0 <= listed["age_s"] < 10


def test_run_gives_claude_models_that_the_gateway_has(daemon: RunningDaemon, claude: str) -> None:
    words, environ = shown(call(daemon, "run", "--", claude, "-p", "hello"))

    assert words == ["-p", "hello"]
    assert environ["ANTHROPIC_MODEL"] == "claude-sonnet"
    assert environ["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "claude-haiku"
    assert "OPENAI_API_KEY" not in environ


def test_run_reports_each_change_and_quiet_reports_none(daemon: RunningDaemon, claude: str) -> None:
    leftovers = {"HTTPS_PROXY": "http://127.0.0.1:9", "CLAUDE_CODE_USE_BEDROCK": "1"}

    loud = call(daemon, "run", "--", claude, **leftovers)
    quiet = call(daemon, "run", "--quiet", "--", claude, **leftovers)

    _, environ = shown(loud)
    assert "CLAUDE_CODE_USE_BEDROCK" not in environ
    assert environ["NO_PROXY"] == environ["no_proxy"] == "localhost,127.0.0.1,::1"
    assert "llmgwctl: CLAUDE_CODE_USE_BEDROCK is taken away: " in loud.stderr
    assert "NO_PROXY now names this machine" in loud.stderr
    assert shown(quiet)[1] == environ
    assert quiet.stderr == ""


def test_run_beats_settings_files_without_a_key_on_the_command_line(
    daemon: RunningDaemon, claude: str, tmp_path: Path
) -> None:
    settings = tmp_path / ".claude" / "settings.json"
    settings.parent.mkdir()
    held = {"ANTHROPIC_BASE_URL": "https://elsewhere", "ANTHROPIC_AUTH_TOKEN": "sk-elsewhere"}
    settings.write_text(json.dumps({"env": held, "model": "opus"}))

    ended = call(daemon, "run", "--", claude, "-p", "hello")

    words, _ = shown(ended)
    assert words[0] == "--settings"
    assert words[2:] == ["-p", "hello"]
    given = json.loads(words[1])
    assert given["env"] == {
        "ANTHROPIC_BASE_URL": f"http://localhost:{daemon.port}",
        "ANTHROPIC_AUTH_TOKEN": "",
    }
    assert given["apiKeyHelper"].endswith(f"llmgwctl key --socket {daemon.socket}")
    assert f"{settings} sets ANTHROPIC_BASE_URL: beaten by --settings" in ended.stderr
    assert "sk-" not in ended.stderr + words[1]

    words, _ = shown(call(daemon, "run", "--keep-key", "--", claude, ANTHROPIC_AUTH_TOKEN="sk-a"))
    assert json.loads(words[1]) == {
        "env": {"ANTHROPIC_BASE_URL": f"http://localhost:{daemon.port}"}
    }


@pytest.mark.parametrize(
    ("flag", "token"), [("--keep-key", "sk-mine"), ("--no-key", "sk-mine"), ("--quiet", MASTER_KEY)]
)
def test_run_replaces_a_key_unless_it_is_told_otherwise(
    daemon: RunningDaemon, claude: str, flag: str, token: str
) -> None:
    ended = call(daemon, "run", flag, "--", claude, ANTHROPIC_AUTH_TOKEN="sk-mine")

    assert shown(ended)[1]["ANTHROPIC_AUTH_TOKEN"] == token


def test_a_script_without_an_interpreter_line_is_run_as_a_shell_does(
    daemon: RunningDaemon, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$ANTHROPIC_AUTH_TOKEN $1"\n')
    script.chmod(0o755)

    ended = call(daemon, "run", "--", str(script), "--x")

    assert ended.stdout == f"{MASTER_KEY} --x\n"


def test_env_for_a_program_takes_away_what_beats_it(daemon: RunningDaemon) -> None:
    ended = call(
        daemon, "env", "--for", "claude", "--shell", "bash", ANTHROPIC_API_KEY="sk-ant-mine"
    )

    assert "unset ANTHROPIC_API_KEY\n" in ended.stdout
    assert "export ANTHROPIC_MODEL=claude-sonnet\n" in ended.stdout
    assert "sk-ant-mine" not in ended.stdout + ended.stderr


def test_env_unset_needs_no_daemon(daemon: RunningDaemon) -> None:
    daemon.end()

    ended = call(
        daemon, "env", "--unset", "--shell", "bash", ANTHROPIC_BASE_URL="http://localhost:4000"
    )

    assert ended.returncode == 0
    assert ended.stdout.splitlines()[0] == "unset ANTHROPIC_BASE_URL"


def test_env_waits_for_no_key(daemon: RunningDaemon, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    slow = f'[gateway]\nkey = {{ command = ["sh", "-c", "sleep 15; touch {ran}"] }}\n'
    daemon.write_config(f'[[forward]]\nname = "litellm"\nlisten = "localhost:PORT"\n{slow}')
    daemon.client.reload()

    ended = call(daemon, "env", "--shell", "dotenv")

    assert not ran.exists()
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"ANTHROPIC_BASE_URL=http://localhost:{daemon.port}\n")
    assert "TOKEN" not in ended.stdout
    assert "addresses only, the key is not at hand: " in ended.stderr
