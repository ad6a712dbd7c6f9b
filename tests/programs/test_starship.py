"""A real starship shows the forward's state in its prompt, whatever it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import STARSHIP

if TYPE_CHECKING:
    from person import Person

pytestmark = pytest.mark.programs


def test_the_prompt_shows_the_state_and_a_daemon_that_is_not_there(person: Person) -> None:
    readme = (Path(__file__).parents[2] / "client" / "PROGRAMS.md").read_text()
    (recipe,) = re.findall(r"^```toml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    (person.home / ".config").mkdir()
    (person.home / ".config" / "starship.toml").write_text(recipe)

    up, down = (
        person.plainly(STARSHIP, "module", "custom.llmgw", LLMGW_SOCKET=socket).stdout
        for socket in (person.socket, str(person.home / "none"))
    )

    assert person.ctl("status", "--short").stdout.strip() in up
    assert "llmgwd" in down
