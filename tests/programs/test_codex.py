"""A real Codex reaches the gateway, by run and by setup, and nothing goes elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import CODEX

from support.fake_provider import WORDS

if TYPE_CHECKING:
    from person import Person

pytestmark = pytest.mark.programs

SAID = "".join(WORDS)
QUESTION = ("exec", "--skip-git-repo-check", "What is 2+2?")
# Codex's own: with these off, whatever reaches the proxy is a leak.
QUIET = "# mine\nanalytics.enabled = false\nfeatures.plugins = false\n"


@pytest.fixture(autouse=True)
def config(person: Person) -> Path:
    made = person.home / ".codex" / "config.toml"
    made.parent.mkdir()
    made.write_text(QUIET)
    return made


def test_run_leads_codex_by_its_command_line(person: Person) -> None:
    ended = person.run(CODEX, *QUESTION, flags=("--model", "gpt-mini"))

    assert ended.returncode == 0, ended
    assert SAID in ended.stdout
    assert person.sent_past_the_port() == []


def test_setup_leads_plain_codex_there_with_the_key_of_a_command(
    person: Person, config: Path
) -> None:
    made = person.ctl("setup", "codex", "--model", "gpt-mini")

    ended = person.plainly(CODEX, *QUESTION, NO_PROXY="localhost", no_proxy="localhost")

    assert made.returncode == 0, made
    assert config.read_text().startswith(QUIET)
    assert ended.returncode == 0, ended
    assert SAID in ended.stdout
    assert person.sent_past_the_port() == []
