"""A real aider reaches the gateway whatever its files name; more of it is in `cells.py`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from installed import AIDER

from support.fake_provider import WORDS

if TYPE_CHECKING:
    from person import Person

pytestmark = pytest.mark.programs

SAID = "".join(WORDS)
# aider's own: with these off, whatever reaches the proxy is a leak.
QUIET = {"AIDER_ANALYTICS_DISABLE": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
QUESTION = ("--no-git", "--yes-always", "--no-check-update", "--message", "What is 2+2?")

# It looks for prices once a day, and remembers where it has them.
PRICES = "model_prices_and_context_window.json"

needs_aider = pytest.mark.skipif(sys.version_info >= (3, 13), reason="aider needs Python 3.12")


@pytest.fixture(autouse=True)
def prices(person: Person) -> None:
    folder = person.home / ".aider" / "caches"
    folder.mkdir(parents=True)
    (folder / PRICES).write_text('{"none": {}}')


@needs_aider
def test_run_leads_aider_past_its_files_and_keeps_other_providers_keys_from_it(
    person: Person,
) -> None:
    elsewhere = f"{person.trap.url}/v1"
    rivals = f"OPENAI_API_BASE={elsewhere}\nOPENAI_BASE_URL={elsewhere}\nOPENAI_API_KEY=sk-old\n"
    rivals += "AIDER_MODEL=deepseek/deepseek-chat\nDEEPSEEK_API_KEY=sk-old\n"
    (person.home / ".env").write_text(rivals)
    settings = f"openai-api-base: {elsewhere}\nweak-model: anthropic/claude-3\n"
    (person.home / ".aider.conf.yml").write_text(settings)
    more = QUIET | {"ANTHROPIC_API_KEY": "sk-ant-of-a-person", "OPENAI_BASE_URL": elsewhere}

    ended = person.run(AIDER, *QUESTION, flags=("--model", "gpt-mini"), **more)

    assert ended.returncode == 0, ended
    assert SAID in ended.stdout
    assert "ANTHROPIC_API_KEY is taken away" in ended.stderr
    assert person.sent_past_the_port() == []
