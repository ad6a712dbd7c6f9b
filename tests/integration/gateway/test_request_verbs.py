"""What passed through a real daemon, as `requests` and `usage` show it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.called import call
from support.running_daemon import RunningDaemon, running

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

MASTER = "sk-demo-master-key"
QUESTION = [{"role": "user", "content": "Say something."}]


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    with running(tmp_path, simulated_cluster.kubeconfig) as running_daemon:
        running_daemon.wait_for("ready")
        yield running_daemon


def ask(daemon: RunningDaemon, path: str, **fields: Any) -> None:
    body = {"model": "gpt-mini", "messages": QUESTION, "max_tokens": 64, "gap_s": 0, **fields}
    request = urllib.request.Request(
        f"http://127.0.0.1:{daemon.port}{path}?hidden=1",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {MASTER}", "User-Agent": "the-test/1.0 (x)"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        answer.read()


def test_a_call_leaves_a_record_that_is_shown_and_counted(daemon: RunningDaemon) -> None:
    ask(daemon, "/v1/chat/completions")
    ask(daemon, "/v1/messages", model="claude-haiku", stream=True)

    daemon.wait_until(lambda: len(records(daemon)) == 2, "recorded both")
    chat, messages = records(daemon)
    table = call(daemon, "requests", COLUMNS="150").stdout
    usage = call(daemon, "usage")

    assert (chat["path"], chat["status"], chat["outcome"]) == (
        "/v1/chat/completions",
        200,
        "answered",
    )
    assert (chat["model"], chat["program"]) == ("gpt-mini", "the-test/1.0")
    assert chat["cost"] > 0
    assert messages["cost"] is None
    assert table.splitlines()[-1].startswith("2 requests, 0 failed, ")
    assert usage.returncode == 0, usage.stderr
    assert ", known for 1 of 2 requests" in usage.stdout
    assert MASTER not in table + usage.stdout + usage.stderr
    assert "hidden" not in table


def records(daemon: RunningDaemon) -> list[Any]:
    lines = call(daemon, "requests", "--json").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    return [each for each in found if each["method"] == "POST"]
