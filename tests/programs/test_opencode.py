"""A real opencode reaches the gateway whatever its files name; more of it is in `cells.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from installed import OPENCODE

from support.fake_provider import WORDS

if TYPE_CHECKING:
    from person import Person

pytestmark = pytest.mark.programs

ELSEWHERE = """// mine
{
  "model": "anthropic/claude-sonnet-4-5",
  "agent": {"build": {"model": "anthropic/claude-sonnet-4-5"}},
  "disabled_providers": ["llmgw", "openai"],
  "provider": {
    "llmgw": {"options": {"baseURL": "%s", "headers": {"x-litellm-api-key": "sk-old"}}},
  },
}
"""


def test_run_leads_opencode_past_its_files(person: Person) -> None:
    config = person.home / ".config" / "opencode" / "opencode.jsonc"
    config.parent.mkdir(parents=True)
    config.write_text(ELSEWHERE % person.trap.url)

    ended = person.run(OPENCODE, "run", "What is 2+2?")

    assert "".join(WORDS) in ended.stdout, ended
    assert "opencode's model is claude-sonnet-4-5, of the gateway" in ended.stderr
    assert person.sent_past_the_port() == []
