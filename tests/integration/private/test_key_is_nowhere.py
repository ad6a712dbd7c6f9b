"""Where the daemon injects the key, it is found in the daemon's memory and nowhere else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgwctl.wire import ApiPath
from llmgwsim.gateway.settings import GatewaySettings
from llmgwsim.options import Options
from llmgwsim.remote import cluster_in_thread
from support.called import call
from support.keyless_program import keyless_program, memory_of
from support.running_daemon import DEFAULT, RunningDaemon, running

KEY = "sk-injected-and-to-be-found-nowhere-5e1d"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("injecting")
    config = f"{DEFAULT}\n[gateway]\ninject = true\n"
    with (
        cluster_in_thread(Options(gateway=GatewaySettings(master_key=KEY))) as cluster,
        running(folder, cluster.kubeconfig, config, "--log-level", "debug") as started,
    ):
        started.wait_for("ready")
        yield started


@pytest.fixture
def program(daemon: RunningDaemon) -> Iterator[subprocess.Popen[str]]:
    """A program of the SDKs that was led to the gateway, has used it, and lives on."""
    with keyless_program(daemon, "gpt-mini", "claude-haiku") as process:
        yield process


def shown_by(daemon: RunningDaemon) -> str:
    """All that the daemon wrote or answers, and all that the verbs print."""
    folder = daemon.config_path.parent
    texts = [daemon.log(), daemon.metrics(), json.dumps(daemon.events())]
    texts += [file.read_text() for file in (folder / "state").rglob("*") if file.is_file()]
    texts += [json.dumps(daemon.client.get(path)) for path in (ApiPath.STATUS, ApiPath.OPENAPI)]
    for words in (
        *(("status", "--json"), ("requests", "--json"), ("events", "--json", "--since", "1h")),
        *(("key",), ("key", "--check"), ("env", "--shell", "bash"), ("env", "--shell", "dotenv")),
        *(("models", "--long"), ("usage",), ("doctor",), ("logs", "--tail", "100")),
    ):
        ended = call(daemon, *words)
        texts += [ended.stdout, ended.stderr]
    return "\n".join(texts)


def test_the_key_is_in_no_log_record_answer_or_process_list(
    daemon: RunningDaemon, program: subprocess.Popen[str]
) -> None:
    assert daemon.process is not None

    shown = shown_by(daemon)
    processes = subprocess.run(
        ["ps", "axeww", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout

    assert KEY not in shown
    assert KEY not in processes
    assert KEY not in Path(f"/proc/{daemon.process.pid}/environ").read_text()
    assert "/v1/chat/completions" in shown
    assert "OPENAI_API_KEY=llmgw" in processes
    assert call(daemon, "key").stdout == "llmgw\n"
    assert call(daemon, "key", "--reveal").stdout == f"{KEY}\n"


def test_the_key_is_in_no_client_process_nor_in_its_core(
    daemon: RunningDaemon, program: subprocess.Popen[str]
) -> None:
    assert daemon.process is not None

    variables = Path(f"/proc/{program.pid}/environ").read_bytes()
    memory = memory_of(program.pid)

    assert b"OPENAI_API_KEY=llmgw\0" in variables
    assert KEY.encode() not in variables
    assert KEY.encode() not in memory
    # Proof that the search finds what is there.
    assert b"OPENAI_API_KEY" in memory
    assert KEY.encode() in memory_of(daemon.process.pid)

    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or pattern.startswith("|"):
        pytest.skip(f"cores do not go to the working folder here, but to {pattern}")
    program.send_signal(signal.SIGABRT)
    program.wait(30)

    cores = list(daemon.config_path.parent.glob("core*"))

    assert cores, os.listdir(daemon.config_path.parent)
    core = cores[0].read_bytes()
    assert b"OPENAI_API_KEY=llmgw" in core
    assert KEY.encode() not in core
