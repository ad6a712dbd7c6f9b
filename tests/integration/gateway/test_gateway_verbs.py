"""key, env, run, models and open, called as a person calls them, with a daemon that serves."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmgwsim.kubeconfig import Credentials, Exec
from support.called import PROGRAM, call, command, environment
from support.running_daemon import RunningDaemon, running

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

MASTER_KEY = "sk-demo-master-key"


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    with running(tmp_path, simulated_cluster.kubeconfig) as running_daemon:
        running_daemon.wait_for("ready")
        yield running_daemon


def test_key_prints_the_key_alone(daemon: RunningDaemon) -> None:
    ended = call(daemon, "key")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{MASTER_KEY}\n", "")


def test_a_good_key_is_accepted_and_not_printed(daemon: RunningDaemon) -> None:
    ended = call(daemon, "key", "--check")

    source = "secret litellm-secrets/LITELLM_MASTER_KEY"
    assert ended.returncode == 0
    assert ended.stdout == f"accepted: the gateway accepts the key (from {source})\n"


def test_a_wrong_key_without_a_database_is_rejected(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.set_gateway(master_key="sk-another-master-key")

    ended = call(daemon, "key", "--check")

    assert ended.returncode == 4
    assert ended.stdout.startswith("rejected: the gateway has no database")


def test_a_lost_database_proves_nothing_about_the_key(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.set_gateway(
        master_key="sk-another-master-key", has_database=True, is_database_reachable=False
    )

    ended = call(daemon, "key", "--check")

    assert ended.returncode == 1
    assert ended.stdout.startswith("unknown: the gateway cannot reach its database")


def test_a_missing_secret_is_told_with_its_remedy(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    # Before the start: a daemon that serves has read the key already, to list the models.
    simulated_cluster.faults.set_secret(values={"OTHER": "x"})
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")

        ended = call(daemon, "key")

    assert ended.stdout == ""
    assert "has no entry LITELLM_MASTER_KEY (it has OTHER)" in ended.stderr


def test_env_leads_where_the_forward_is_bound(daemon: RunningDaemon) -> None:
    ended = call(daemon, "env", "--shell", "json")

    url = f"http://localhost:{daemon.port}"
    assert json.loads(ended.stdout) == {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": MASTER_KEY,
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_BASE": f"{url}/v1",
        "OPENAI_API_KEY": MASTER_KEY,
        "AVANTE_OPENAI_API_KEY": MASTER_KEY,
    }


def test_env_warns_on_stderr_of_what_overrules_it(daemon: RunningDaemon) -> None:
    settings = daemon.config_path.parent / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"env": {"ANTHROPIC_BASE_URL": "https://elsewhere"}}')

    ended = call(daemon, "env", ANTHROPIC_API_KEY="sk-ant-personal")

    assert "ANTHROPIC_API_KEY is set" in ended.stderr
    assert f"{settings} sets ANTHROPIC_BASE_URL" in ended.stderr
    assert "sk-ant-personal" not in ended.stdout + ended.stderr


def test_env_without_a_key_asks_for_none(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.set_secret(values={})

    ended = call(daemon, "env", "--no-key", "--for", "aider", "--shell", "dotenv")

    named = dict(line.split("=", 1) for line in ended.stdout.splitlines())
    assert set(named) == {"OPENAI_BASE_URL", "OPENAI_API_BASE", "AIDER_OPENAI_API_BASE"}
    assert set(named.values()) == {f"http://localhost:{daemon.port}/v1"}


def test_run_becomes_the_program_with_its_exit_status(daemon: RunningDaemon) -> None:
    script = 'echo "$ANTHROPIC_AUTH_TOKEN [$ANTHROPIC_API_KEY] $1"; exit 7'

    ended = call(daemon, "run", "--", "sh", "-c", script, "sh", "--x", ANTHROPIC_API_KEY="mine")

    assert (ended.returncode, ended.stdout) == (7, f"{MASTER_KEY} [] --x\n")


def test_run_gives_the_program_a_sigpipe_that_ends_it(daemon: RunningDaemon) -> None:
    ended = call(daemon, "run", "--", "sh", "-c", 'yes | head -n 1; trap "" TERM; kill -PIPE $$')

    assert ended.returncode == -signal.SIGPIPE


def test_a_signal_to_run_reaches_the_program(daemon: RunningDaemon) -> None:
    script = 'trap "exit 42" INT; echo ready; while :; do sleep 0.05; done'
    with subprocess.Popen(
        command(daemon, "run", "--", "sh", "-c", script),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(daemon.config_path.parent),
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGINT)

        assert program.wait(20) == 42


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (["--", "no-such-program"], 127, "there is no program 'no-such-program'"),
        (["--", "/etc/passwd"], 126, "/etc/passwd cannot be run"),
        ([], 2, "no program to run"),
    ],
)
def test_run_says_what_cannot_be_run(
    daemon: RunningDaemon, words: list[str], status: int, complaint: str
) -> None:
    ended = call(daemon, "run", *words)

    assert ended.returncode == status
    assert complaint in ended.stderr


def test_run_waits_until_the_forward_serves(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.scale(replicas=0)
    daemon.wait_for("reconnecting")
    with subprocess.Popen(
        command(daemon, "run", "--", "echo", "served"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(daemon.config_path.parent),
    ) as program:
        assert program.stderr is not None
        waiting = program.stderr.readline()
        simulated_cluster.faults.scale(replicas=1)
        out, _ = program.communicate(timeout=40)

    assert waiting.startswith("llmgwctl: waiting for litellm: ")
    assert out == "served\n"


def test_run_gives_up_in_time_and_says_why(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.scale(replicas=0)
    daemon.wait_for("reconnecting")

    ended = call(daemon, "run", "--timeout", "300ms", "--", "true")

    assert ended.returncode == 1
    assert ", not serving, after 0.3 s: service/litellm has no pods" in ended.stderr


def test_run_needs_a_person_where_the_login_is_gone(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    failing = Credentials(exec=Exec("/bin/sh", ("-c", "echo 'sso login needed' >&2; exit 1")))
    simulated_cluster.write_kubeconfig(simulated_cluster.kubeconfig, failing)
    daemon.wait_for("degraded")
    simulated_cluster.faults.cut()
    daemon.wait_for("blocked")

    ended = call(daemon, "run", "--timeout", "300ms", "--", "true")

    assert ended.returncode == 4
    assert "sso login needed" in ended.stderr


def test_ctrl_c_while_run_waits_is_130(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.scale(replicas=0)
    daemon.wait_for("reconnecting")
    with subprocess.Popen(
        command(daemon, "run", "--", "true"),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(daemon.config_path.parent),
    ) as program:
        assert program.stderr is not None
        program.stderr.readline()
        program.send_signal(signal.SIGINT)

        assert program.wait(20) == 130
        assert program.stderr.read() == ""


def test_models_are_listed_and_near_misses_offered(daemon: RunningDaemon) -> None:
    listed, missing = call(daemon, "models"), call(daemon, "models", "--check", "gpt_mini")

    assert listed.stdout.split() == ["claude-haiku", "claude-sonnet", "gpt-mini"]
    assert missing.returncode == 1
    assert missing.stdout.endswith("did you mean gpt-mini\n")
    assert call(daemon, "models", "--check", "gpt-mini").returncode == 0


def test_models_say_that_the_key_is_wrong(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.set_gateway(master_key="sk-another-master-key")

    ended = call(daemon, "models")

    assert ended.returncode == 4
    assert "this is not it" in ended.stderr
    assert MASTER_KEY not in ended.stderr


@pytest.mark.parametrize("words", [["models"], ["usage"], ["key", "--check"]])
def test_verbs_that_ask_the_gateway_report_at_once_why_they_cannot(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster, words: list[str]
) -> None:
    simulated_cluster.faults.scale(replicas=0)
    daemon.wait_for("reconnecting")
    held = daemon.forward()["counters"]["held"]

    ended = call(daemon, *words)

    assert daemon.forward()["counters"]["held"] == held
    assert ended.returncode == 1
    # The pods go one by one, so the sentence may still name the last of them.
    assert "litellm is reconnecting, not serving: " in ended.stderr
    assert "service/litellm" in ended.stderr


def test_models_wait_where_they_are_told_to(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.scale(replicas=0)
    daemon.wait_for("reconnecting")
    with subprocess.Popen(
        command(daemon, "models", "--wait", "40s"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(daemon.config_path.parent),
    ) as asking:
        assert asking.stderr is not None
        asking.stderr.readline()
        simulated_cluster.faults.scale(replicas=1)
        out, _ = asking.communicate(timeout=40)

    assert "claude-sonnet" in out.split()


def test_open_prints_the_dashboards_address(daemon: RunningDaemon) -> None:
    ended = call(daemon, "open", "--print")

    assert ended.stdout == f"http://localhost:{daemon.port}/ui/\n"


def test_open_takes_the_name_of_a_forward(daemon: RunningDaemon) -> None:
    ended = call(daemon, "open", "litellm", "--print")

    assert ended.stdout == f"http://localhost:{daemon.port}/\n"


def test_open_calls_the_browser(daemon: RunningDaemon, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    browser.chmod(0o700)

    ended = call(daemon, "open", BROWSER=str(browser))

    assert ended.returncode == 0
    assert (tmp_path / "opened").read_text() == f"http://localhost:{daemon.port}/ui/"


def test_a_stopped_forward_says_how_to_start_it(daemon: RunningDaemon) -> None:
    daemon.client.stop("litellm")

    ended = call(daemon, "env")

    assert ended.returncode == 1
    assert "litellm is stopped; llmgwctl start litellm" in ended.stderr


@pytest.mark.parametrize("verb", ["key", "env", "models", "usage", "logs", "open", "run"])
def test_no_daemon_is_one_line_and_3(tmp_path: Path, verb: str) -> None:
    words = ["--", "true"] if verb == "run" else []
    ended = subprocess.run(
        [PROGRAM, verb, "--socket", str(tmp_path / "none.sock"), *words],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        timeout=30,
        check=False,
    )

    assert ended.returncode == 3
    assert len(ended.stderr.splitlines()) == 1
    assert "llmgwd is not running" in ended.stderr
