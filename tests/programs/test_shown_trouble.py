"""What each real program shows of a tool, an outage, a killed pod, Esc, and a person's mistake."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from collections.abc import Iterator, Mapping
from subprocess import Popen
from typing import TYPE_CHECKING

import pytest
from cells import NO_SUCH, by_run, by_setup, cells, prepare
from installed import CLAUDE_CODE

from llmgwctl.wire import ApiPath, RequestOutcome
from support.fake_provider import WORDS
from support.terminal import ESC, before_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from person import Person

    from support.running_daemon import RunningDaemon

pytestmark = pytest.mark.programs

SAID = "".join(WORDS)
QUESTION = "What is 2+2?"
OUTAGE_S = 20.0
WRONG = "sk-of-no-one"
KEYS = ("ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "GEMINI_API_KEY", "AVANTE_OPENAI_API_KEY")
# They show what came of an answer that broke off, and do not ask again.
NOT_REPEATING = ("llm", "avante", "avante, set up")
# The others want a second one, or a key in their terminal.
ENDED_BY_INTERRUPT = ("claude", "codex", "llm", "opencode")


@pytest.fixture(autouse=True)
def _prepared(person: Person) -> Iterator[None]:
    prepare(person)
    person.world.provider.hold()
    yield
    person.world.provider.release()
    assert person.sent_past_the_port() == []


def all_started(
    person: Person, stack: contextlib.ExitStack, asked: Mapping[str, list[str]], **more: str
) -> dict[str, Popen[str]]:
    of = cells(person)
    return {
        name: stack.enter_context(person.started(command, **of[name].environ(person) | more))
        for name, command in asked.items()
    }


def outputs(processes: dict[str, Popen[str]]) -> dict[str, str]:
    return {name: "\n".join(each.communicate(timeout=120)) for name, each in processes.items()}


def cancelled(daemon: RunningDaemon) -> int:
    """Count the questions whose client has left."""
    records = daemon.client.lines(ApiPath.REQUESTS, {"follow": False})
    return sum(each["outcome"] == RequestOutcome.CANCELLED for each in records)


def in_mid_stream(
    person: Person, stack: contextlib.ExitStack, asked: Mapping[str, list[str]]
) -> dict[str, Popen[str]]:
    """Start all, and wait until each has been given two words."""
    processes = all_started(person, stack, asked)
    provider, daemon = person.world.provider, person.world.daemon
    daemon.wait_until(lambda: provider.stopped_after_two == len(asked), "all in mid-stream", 80)
    return processes


def test_every_program_calls_a_tool_and_gives_back_its_result(person: Person) -> None:
    note = person.home / "note.txt"
    note.write_text("The word is heron.\n")
    asked = {
        name: cell.command(person, f"Please read the file {note}")
        for name, cell in by_run(person).items()
        if cell.has_tools
    }

    with contextlib.ExitStack() as stack:
        said = outputs(all_started(person, stack, asked))

    results = {name: "0.36" if name == "llm" else "heron" for name in asked}
    assert {name for name, text in said.items() if results[name] in text} == set(asked), said


def test_every_program_answers_after_an_outage_of_twenty_seconds(person: Person) -> None:
    daemon, faults = person.world.daemon, person.world.cluster.faults
    asked = {name: cell.command(person, QUESTION) for name, cell in by_setup(person).items()}
    before = daemon.forward()["counters"]["held"]
    faults.api_down()
    faults.cut()
    daemon.wait_for("reconnecting")
    try:
        with contextlib.ExitStack() as stack:
            down_at = time.monotonic()
            processes = all_started(person, stack, asked)
            daemon.wait_until(lambda: daemon.forward()["counters"]["held"] > before + 2, "held", 60)
            time.sleep(max(0.0, down_at + OUTAGE_S - time.monotonic()))
            faults.api_up()
            said = outputs(processes)
    finally:
        faults.api_up()
        daemon.wait_for("ready")

    assert {name for name, text in said.items() if SAID in text} == set(asked), said


def test_a_pod_killed_in_mid_stream_costs_no_answer(person: Person) -> None:
    asked = {name: cell.command(person, "Please hold") for name, cell in by_run(person).items()}

    with contextlib.ExitStack() as stack:
        processes = in_mid_stream(person, stack, asked)
        person.world.cluster.faults.delete_pod(graceful=False)
        person.world.provider.release()
        said = outputs(processes)

    shown = {name: "broke off" if name in NOT_REPEATING else SAID for name in asked}
    assert {name for name, text in said.items() if shown[name] in text} == set(asked), said


def test_esc_stops_the_answer_and_the_next_question_is_answered(person: Person) -> None:
    provider, daemon = person.world.provider, person.world.daemon
    before = cancelled(daemon)
    assert person.ctl("setup", "claude", "--status-line").returncode == 0
    seen = person.home / "led" / ".claude.json"
    seen.rename(person.home / ".claude.json")

    command = person.run_command(CLAUDE_CODE)
    with before_a_terminal(command, person.environ, person.home) as screen:
        screen.until(person.ctl("status", "--short").stdout)
        screen.type("Please hold")
        screen.until("Please hold")
        screen.type("\r")
        assert provider.said_two.wait(60)
        # The first may come before the program has read what the provider said.
        assert any(screen.type(ESC) or screen.shows_within("Interrupted", 5) for _ in range(10)), (
            "Esc does not stop the answer"
        )
        daemon.wait_until(lambda: cancelled(daemon) > before, "the request is over", 10)
        provider.release()
        screen.type("What is 2+2?")
        screen.until("What is 2+2?")
        screen.type("\r")
        screen.until(SAID)

    assert daemon.state() == "ready"


def test_an_interrupt_in_mid_stream_ends_each_program_and_its_request(person: Person) -> None:
    daemon = person.world.daemon
    before = cancelled(daemon)
    asked = {
        name: cell.command(person, "Please hold")
        for name, cell in by_setup(person).items()
        if name.startswith(ENDED_BY_INTERRUPT)
    }

    with contextlib.ExitStack() as stack:
        processes = in_mid_stream(person, stack, asked)
        for process in processes.values():
            process.send_signal(signal.SIGINT)
        outputs(processes)

    daemon.wait_until(lambda: cancelled(daemon) >= before + len(asked), "all are over", 10)
    assert daemon.state() == "ready"


def test_a_wrong_key_is_the_gateways_own_error(person: Person) -> None:
    hold_wrong_keys(person.home / "set-up")
    asked = {
        name: cell.command(person, QUESTION, more_flags=("--keep-key",))
        for name, cell in by_run(person).items()
    }
    wrong = dict.fromkeys(KEYS, WRONG) | {"ANTHROPIC_CUSTOM_HEADERS": ""}

    with contextlib.ExitStack() as stack:
        said = outputs(all_started(person, stack, asked, **wrong))

    assert {name for name, text in said.items() if "No connected db" in text} == set(asked), said


def hold_wrong_keys(home: Path) -> None:
    """Have the files of those that take the key from a command name another command."""
    settings = home / ".claude" / "settings.json"
    held = json.loads(settings.read_text()) | {"apiKeyHelper": f"echo {WRONG}"}
    settings.write_text(json.dumps(held))
    config = home / ".codex" / "config.toml"
    text = re.sub(r"(?m)^command = .*", 'command = "echo"', config.read_text())
    config.write_text(re.sub(r"(?m)^args = .*", f'args = ["{WRONG}"]', text))


def test_a_model_that_is_not_offered_is_named(person: Person) -> None:
    # opencode itself refuses what its configuration does not list. gemini-cli is answered with a
    # 500 by LiteLLM 1.80, and asks again for minutes. llm knows its own models alone; the gateway
    # lacks this one of them.
    listed = by_setup(person)
    named = [name for name in listed if not name.startswith(("opencode", "gemini"))]
    unknown = {name: "gpt-4o" if name == "llm" else NO_SUCH for name in named}
    asked = {
        name: cells(person)[name].command(person, QUESTION, model)
        for name, model in unknown.items()
    }

    with contextlib.ExitStack() as stack:
        said = outputs(all_started(person, stack, asked))

    shown = {name for name, text in said.items() if unknown[name] in text and SAID not in text}
    assert shown == set(asked), said
