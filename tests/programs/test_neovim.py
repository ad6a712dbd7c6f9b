"""A real Neovim: the request of avante.nvim, and the state in a line of lualine's.

Neither plugin is on a package index: `ask.lua` makes avante's request from the lines that `setup`
prints, and what lualine is given is asked for as lualine does.
"""

from __future__ import annotations

import re
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


def test_lualine_gets_the_state(person: Person) -> None:
    readme = (Path(__file__).parents[2] / "client" / "PROGRAMS.md").read_text()
    (recipe,) = re.findall(r"^```lua\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    script = person.home / "line.lua"
    script.write_text(f"{LUALINE}\n{recipe}\n{SHOW}")

    ended = person.plainly(
        NEOVIM, "--headless", "-u", "NONE", "-l", str(script), LLMGW_SOCKET=person.socket
    )

    assert ended.stdout.strip() == person.ctl("status", "--short").stdout.strip()


LUALINE = """
local line
package.preload["lualine"] = function()
  return { setup = function(options) line = options.sections.lualine_x[1] end }
end
"""
SHOW = """
vim.wait(10000, function() return line() ~= "" end, 20)
io.write(line())
vim.cmd("qa!")
"""
