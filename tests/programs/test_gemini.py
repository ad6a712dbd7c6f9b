"""A real gemini-cli reaches the gateway, by run and by setup, and nothing goes elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from installed import GEMINI, installed

from support.fake_provider import WORDS
from support.litellm_process import MASTER_KEY

if TYPE_CHECKING:
    from person import Person

pytestmark = pytest.mark.programs

SAID = "".join(WORDS)
QUESTION = ("--skip-trust", "-p", "What is 2+2?")


def test_a_login_with_google_is_not_started_towards_google(person: Person) -> None:
    settings = person.home / ".gemini" / "settings.json"
    settings.parent.mkdir()
    quiet = {"privacy": {"usageStatisticsEnabled": False}}
    auth = {"auth": {"selectedType": "oauth-personal"}}
    settings.write_text(json.dumps({**quiet, "security": auth}))

    refused = person.run(GEMINI, *QUESTION)
    person.ctl("setup", "gemini", "--model", "gemini-mini")
    led = {"GEMINI_API_KEY": MASTER_KEY, "NO_PROXY": "localhost", "no_proxy": "localhost"}
    by_run = person.run_command(GEMINI, *QUESTION, flags=("--model", "gemini-mini"))
    with (
        person.started(by_run) as led_by_run,
        person.started([str(installed(GEMINI)), *QUESTION], **led) as led_by_setup,
    ):
        said = [each.communicate(timeout=120)[0].strip() for each in (led_by_run, led_by_setup)]

    assert refused.returncode == 1
    assert "logs in by oauth-personal" in refused.stderr
    assert "llmgwctl setup gemini" in refused.stderr
    assert said == [SAID, SAID]
    assert person.sent_past_the_port() == []
