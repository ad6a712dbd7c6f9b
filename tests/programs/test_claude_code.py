"""A real Claude Code reaches the gateway at the first try, and nothing goes elsewhere."""

from __future__ import annotations

import json

import pytest
from installed import CLAUDE_CODE

from conftest import OLD_KEY, Person
from llmgwctl.rules.placeholder import PLACEHOLDER
from support.fake_provider import WORDS
from support.litellm_process import MASTER_KEY
from support.running_daemon import DEFAULT

pytestmark = pytest.mark.programs

SAID = "".join(WORDS)
QUESTION = ("-p", "What is 2+2?")


def test_run_answers_at_the_first_try_with_all_the_leftovers_set(person: Person) -> None:
    ended = person.run(CLAUDE_CODE, *QUESTION)

    assert ended.returncode == 0, ended
    assert ended.stdout.strip() == SAID
    assert "x-litellm-api-key is taken out of ANTHROPIC_CUSTOM_HEADERS" in ended.stderr
    assert "ANTHROPIC_MODEL is claude-sonnet-4-5" in ended.stderr
    assert person.sent_past_the_port() == []
    assert OLD_KEY not in ended.stdout + ended.stderr


def test_without_run_the_trap_catches_the_key(person: Person) -> None:
    """The trap works: this is what a first user met."""
    url = f"http://localhost:{person.world.daemon.port}"

    ended = person.plainly(
        CLAUDE_CODE,
        *QUESTION,
        ANTHROPIC_BASE_URL=url,
        ANTHROPIC_AUTH_TOKEN=OLD_KEY,
        CLAUDE_CODE_MAX_RETRIES="0",
    )

    assert ended.returncode != 0
    assert any(OLD_KEY.encode() in each for each in person.trap.caught)


def test_setup_leads_plain_claude_there(person: Person) -> None:
    person.ctl("setup", "claude")

    ended = person.plainly(CLAUDE_CODE, *QUESTION)

    assert ended.returncode == 0, ended
    assert ended.stdout.strip() == SAID
    assert person.sent_past_the_port() == []
    checked = person.ctl("doctor", "--json").stdout.splitlines()
    shell = [line for line in map(json.loads, checked) if "Claude Code" in line["found"]]
    assert [line["state"] for line in shell] == ["ok"]


def test_where_the_daemon_injects_the_key_no_program_holds_it(person: Person) -> None:
    daemon = person.world.daemon
    daemon.write_config(f"{DEFAULT}[gateway]\ninject = true\n")
    daemon.client.reload()
    try:
        made = person.ctl("setup", "claude")
        ended = person.plainly(CLAUDE_CODE, *QUESTION)
    finally:
        daemon.write_config(DEFAULT)
        daemon.client.reload()
        daemon.wait_for("ready")

    assert made.returncode == 0, made
    assert ended.stdout.strip() == SAID, ended
    held = json.loads((person.home / ".claude" / "settings.json").read_text())
    assert held["env"]["ANTHROPIC_AUTH_TOKEN"] == PLACEHOLDER
    assert MASTER_KEY not in json.dumps(held)
    assert person.sent_past_the_port() == []


def test_run_beats_files_that_lead_elsewhere(person: Person) -> None:
    remembered = {"env": {"CLAUDE_CODE_USE_VERTEX": "1", "ANTHROPIC_API_KEY": OLD_KEY}}
    (person.home / ".claude.json").write_text(json.dumps(remembered))
    settings = person.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    env = {
        "ANTHROPIC_BASE_URL": person.trap.url,
        "ANTHROPIC_AUTH_TOKEN": OLD_KEY,
        "CLAUDE_CODE_USE_BEDROCK": "1",
    }
    settings.write_text(json.dumps({"env": env, "apiKeyHelper": f"echo {OLD_KEY}"}))

    ended = person.run(CLAUDE_CODE, *QUESTION)

    assert ended.returncode == 0, ended
    assert ended.stdout.strip() == SAID
    assert person.sent_past_the_port() == []
