"""A real opencode reaches the gateway, by setup; by run it does in `test_shown_trouble.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from installed import OPENCODE

from support.fake_provider import WORDS
from support.litellm_process import MASTER_KEY

if TYPE_CHECKING:
    from person import Person

pytestmark = pytest.mark.programs

SAID = "".join(WORDS)


def test_setup_leads_plain_opencode_there(person: Person) -> None:
    made = person.ctl("setup", "opencode", "--model", "gpt-mini")
    led = {"OPENAI_API_KEY": MASTER_KEY, "NO_PROXY": "localhost", "no_proxy": "localhost"}

    ended = person.plainly(OPENCODE, "run", "What is 2+2?", **led)

    assert made.returncode == 0, made
    assert ended.returncode == 0, ended
    assert SAID in ended.stdout
    assert person.sent_past_the_port() == []
