"""A real gemini-cli is not started towards Google; that it reaches the gateway is in `cells.py`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from installed import GEMINI

if TYPE_CHECKING:
    from person import Person

pytestmark = pytest.mark.programs


def test_a_login_with_google_is_not_started_towards_google(person: Person) -> None:
    settings = person.home / ".gemini" / "settings.json"
    settings.parent.mkdir()
    auth = {"auth": {"selectedType": "oauth-personal"}}
    settings.write_text(json.dumps({"security": auth}))

    refused = person.run(GEMINI, "--skip-trust", "-p", "What is 2+2?")

    assert refused.returncode == 1
    assert "logs in by oauth-personal" in refused.stderr
    assert "llmgwctl setup gemini" in refused.stderr
    assert person.sent_past_the_port() == []
