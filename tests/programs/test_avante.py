"""The request of avante.nvim, made in a real Neovim from the lines that `setup` prints.

avante.nvim itself is on no package index: `ask.lua` makes its request.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import NEOVIM

from support.fake_provider import WORDS

if TYPE_CHECKING:
    from person import Person

pytestmark = pytest.mark.programs

SAID = "".join(WORDS)
ASK = ("--headless", "-u", "NONE", "-l", str(Path(__file__).with_name("ask.lua")))
EXEMPT = {"NO_PROXY": "localhost", "no_proxy": "localhost"}


@pytest.fixture
def block(person: Person) -> str:
    printed = person.ctl("setup", "avante", "--model", "gpt-mini")
    path = person.home / "block.lua"
    path.write_text(printed.stdout)
    return str(path)


def test_the_printed_lines_lead_neovim_with_the_key_of_a_command(
    person: Person, block: str
) -> None:
    ended = person.plainly(NEOVIM, *ASK, BLOCK=block, **EXEMPT)

    assert ended.stdout.strip() == SAID, ended
    assert person.sent_past_the_port() == []


def test_run_beats_an_old_key_and_the_proxy(person: Person, block: str) -> None:
    ended = person.run(NEOVIM, *ASK, BLOCK=block, AVANTE_OPENAI_API_KEY="sk-old")

    assert ended.stdout.strip() == SAID, ended
    assert "AVANTE_OPENAI_API_KEY held another key" in ended.stderr
    assert person.sent_past_the_port() == []
