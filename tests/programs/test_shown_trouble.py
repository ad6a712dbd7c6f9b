"""What real programs show of an outage, a killed pod, Esc, and a mistake of the person's."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING

import pytest
from installed import CLAUDE_CODE, CODEX, LLM, OPENCODE, installed

from llmgwctl.wire import ApiPath, RequestOutcome
from support.fake_provider import WORDS
from support.terminal import ESC, before_a_terminal

if TYPE_CHECKING:
    from person import Person

    from support.running_daemon import RunningDaemon

pytestmark = pytest.mark.programs

SAID = "".join(WORDS)
OUTAGE_S = 20.0
EXEMPT = {"NO_PROXY": "localhost", "no_proxy": "localhost"}
ASK_CODEX = ("exec", "--skip-git-repo-check")
WRONG = "sk-of-no-one"
NO_WAIT, MODEL = ("--timeout", "0"), ("--model", "gpt-mini")


@pytest.fixture
def home(person: Person) -> Iterator[Path]:
    """Claude Code has been started here before, and Codex has telemetry off."""
    seen = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    held = {"hasCompletedOnboarding": True, "theme": "dark", "projects": {str(person.home): seen}}
    (person.home / ".claude.json").write_text(json.dumps(held))
    (person.home / ".codex").mkdir()
    quiet = "analytics.enabled = false\nfeatures.plugins = false\n"
    (person.home / ".codex" / "config.toml").write_text(quiet)
    person.world.provider.hold()
    yield person.home
    person.world.provider.release()


@pytest.fixture(autouse=True)
def _nothing_leaked(person: Person, home: Path) -> Iterator[None]:
    yield
    assert person.sent_past_the_port() == []


def set_up(person: Person) -> None:
    for words in (("claude",), ("codex", *MODEL)):
        assert person.ctl("setup", *words).returncode == 0


def all_started(
    person: Person, stack: contextlib.ExitStack, commands: dict[str, list[str]], **more: str
) -> dict[str, Popen[str]]:
    return {
        name: stack.enter_context(person.started(command, **EXEMPT, **more))
        for name, command in commands.items()
    }


def outputs(processes: dict[str, Popen[str]]) -> dict[str, str]:
    return {name: "\n".join(each.communicate(timeout=120)) for name, each in processes.items()}


def cancelled(daemon: RunningDaemon) -> int:
    """Count the questions whose client has left."""
    records = daemon.client.lines(ApiPath.REQUESTS, {"follow": False})
    return sum(each["outcome"] == RequestOutcome.CANCELLED for each in records)


def test_every_program_answers_after_an_outage_of_twenty_seconds(person: Person) -> None:
    set_up(person)
    daemon, faults = person.world.daemon, person.world.cluster.faults
    question = "What is 2+2?"
    commands = {
        "plain claude": [str(installed(CLAUDE_CODE)), "-p", question],
        "plain codex": [str(installed(CODEX)), *ASK_CODEX, question],
        "claude": person.run_command(CLAUDE_CODE, "-p", question, flags=NO_WAIT),
        "codex": person.run_command(CODEX, *ASK_CODEX, question, flags=NO_WAIT + MODEL),
        # Asked for no model: it takes one that the gateway offers.
        "opencode": person.run_command(OPENCODE, "run", question, flags=NO_WAIT),
        "llm": person.run_command(LLM, "-m", "gpt-4o-mini", question),
    }
    before = daemon.forward()["counters"]["held"]
    faults.api_down()
    faults.cut()
    daemon.wait_for("reconnecting")
    try:
        with contextlib.ExitStack() as stack:
            down_at = time.monotonic()
            processes = all_started(person, stack, commands)
            daemon.wait_until(lambda: daemon.forward()["counters"]["held"] > before + 2, "held", 60)
            time.sleep(max(0.0, down_at + OUTAGE_S - time.monotonic()))
            faults.api_up()
            said = outputs(processes)
    finally:
        faults.api_up()
        daemon.wait_for("ready")

    assert {name for name, text in said.items() if SAID in text} == set(commands), said
    assert "waiting for litellm" in said["llm"]


def test_a_pod_killed_in_mid_stream_costs_no_answer(person: Person) -> None:
    set_up(person)
    provider, faults = person.world.provider, person.world.cluster.faults
    commands = {
        "claude": person.run_command(CLAUDE_CODE, "-p", "Please hold"),
        "plain codex": [str(installed(CODEX)), *ASK_CODEX, "Please hold"],
    }
    asked = len(provider.asked)

    with contextlib.ExitStack() as stack:
        processes = all_started(person, stack, commands)
        person.world.daemon.wait_until(
            lambda: provider.stopped_after_two == 2, "both in mid-stream", 60
        )
        faults.delete_pod(graceful=False)
        provider.release()
        said = outputs(processes)

    assert {name for name, text in said.items() if SAID in text} == set(commands), said
    assert len(provider.asked) >= asked + 4


def test_esc_stops_the_answer_and_the_next_question_is_answered(person: Person) -> None:
    provider, daemon = person.world.provider, person.world.daemon
    before = cancelled(daemon)
    assert person.ctl("setup", "claude", "--status-line").returncode == 0

    command = person.run_command(CLAUDE_CODE)
    with before_a_terminal(command, person.environ, person.home) as screen:
        screen.until(person.ctl("status", "--short").stdout)
        screen.type("Please hold")
        screen.until("Please hold")
        screen.type("\r")
        assert provider.said_two.wait(60)
        screen.type(ESC)
        screen.until("Interrupted")
        daemon.wait_until(lambda: cancelled(daemon) > before, "the request is over", 10)
        provider.release()
        screen.type("What is 2+2?")
        screen.until("What is 2+2?")
        screen.type("\r")
        screen.until(SAID)

    assert daemon.state() == "ready"


def test_an_interrupt_in_mid_stream_ends_the_program_and_its_request(person: Person) -> None:
    set_up(person)
    daemon = person.world.daemon
    before = cancelled(daemon)

    with person.started([str(installed(CLAUDE_CODE)), "-p", "Please hold"]) as process:
        assert person.world.provider.said_two.wait(60)
        process.send_signal(signal.SIGINT)
        process.wait(20)

    daemon.wait_until(lambda: cancelled(daemon) > before, "the request is over", 10)
    assert daemon.state() == "ready"


def test_a_mistake_of_the_persons_is_the_gateways_own_error(person: Person) -> None:
    wrong = {"ANTHROPIC_AUTH_TOKEN": WRONG, "ANTHROPIC_CUSTOM_HEADERS": ""}
    kept = person.run(CLAUDE_CODE, "-p", "?", flags=("--keep-key",), **wrong)
    set_up(person)
    helper = json.dumps({"apiKeyHelper": f"echo {WRONG}"})
    commands = {
        "key by setup": [str(installed(CLAUDE_CODE)), "--settings", helper, "-p", "?"],
        "model by run": person.run_command(CLAUDE_CODE, "--model", "no-such-model", "-p", "?"),
        "model by setup": [str(installed(CLAUDE_CODE)), "--model", "no-such-model", "-p", "?"],
        "codex's model": person.run_command(
            CODEX, *ASK_CODEX, "?", flags=("--model", "no-such-model")
        ),
    }

    with contextlib.ExitStack() as stack:
        said = outputs(all_started(person, stack, commands, **wrong))

    assert "No connected db" in kept.stdout
    assert "No connected db" in said["key by setup"]
    assert "no-such-model" in said["model by run"]
    assert "no-such-model" in said["model by setup"]
    assert "no-such-model" in said["codex's model"]
