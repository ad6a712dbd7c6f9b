"""Each program, as `run` leads it and as `setup` does: how one asks it a question."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from installed import (
    AIDER,
    CLAUDE_CODE,
    CODEX,
    GEMINI,
    LLM,
    NEOVIM,
    OPENCODE,
    Package,
    installed,
)

from support.called import PROGRAM
from support.litellm_process import MASTER_KEY

if TYPE_CHECKING:
    from person import Person

NO_SUCH = "no-such-model"
EXEMPT = {"NO_PROXY": "localhost", "no_proxy": "localhost"}
PRICES = "model_prices_and_context_window.json"
_SCRIPT = str(Path(__file__).with_name("ask.lua"))


@dataclass(frozen=True)
class Cell:
    """`words` ask a question of a model; `flags` are those of `run`, None where it is not used.

    `model` is the one that is asked for where a test names none; `key` names what holds the key
    where a file leads. `has_tools`: it can be asked to read a file, or calls some tool.
    """

    package: Package
    words: Callable[[str, str], list[str]]
    model: str
    flags: tuple[str, ...] | None = ("--timeout", "0")
    key: str = ""
    has_tools: bool = True
    more: Mapping[str, str] = field(default_factory=dict)

    def command(
        self, person: Person, question: str, model: str = "", more_flags: tuple[str, ...] = ()
    ) -> list[str]:
        words = self.words(question, model or self.model)
        if self.flags is None:
            return [str(installed(self.package)), *words]
        return person.run_command(self.package, *words, flags=self.flags + more_flags)

    def environ(self, person: Person, key: str = MASTER_KEY) -> dict[str, str]:
        """Give what it finds besides the leftovers: what is set up is in a home of its own."""
        if self.flags is None:
            led = EXEMPT | ({self.key: key} if self.key else {})
            return {**led, **self.more, "HOME": str(person.home / "set-up")}
        return {**self.more, "HOME": str(person.home / "led")}


def _claude(question: str, model: str) -> list[str]:
    return ["-p", question, *(["--model", model] if model else [])]


def _codex(question: str, model: str) -> list[str]:
    return ["exec", "--skip-git-repo-check", *(["-m", model] if model else []), question]


def _opencode(question: str, model: str) -> list[str]:
    return ["run", *(["-m", f"openai/{model}"] if model else []), question]


def _aider(question: str, model: str) -> list[str]:
    quiet = ["--no-git", "--yes-always", "--no-check-update", "--no-show-model-warnings"]
    return [*quiet, *(["--model", f"openai/{model}"] if model else []), "--message", question]


def _gemini(question: str, model: str) -> list[str]:
    return ["--skip-trust", "-m", model, "-p", question]


def _llm(question: str, model: str) -> list[str]:
    return ["-m", model, "-T", "llm_version", question]


def _avante(question: str, model: str) -> list[str]:
    return ["--headless", "-u", "NONE", "-l", _SCRIPT, question, model]


_AIDER_QUIET = {"AIDER_ANALYTICS_DISABLE": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def cells(person: Person) -> dict[str, Cell]:
    """List the programs by the way they are led; aider needs an older Python than the newest."""
    block = {"BLOCK": str(person.home / "block.lua")}
    openai = "OPENAI_API_KEY"
    listed = {
        "claude": Cell(CLAUDE_CODE, _claude, ""),
        "claude, set up": Cell(CLAUDE_CODE, _claude, "", None),
        "codex": Cell(CODEX, _codex, ""),
        "codex, set up": Cell(CODEX, _codex, "", None),
        "llm": Cell(LLM, _llm, "gpt-4o-mini"),
        "opencode": Cell(OPENCODE, _opencode, ""),
        "opencode, set up": Cell(OPENCODE, _opencode, "", None, openai),
        "gemini": Cell(GEMINI, _gemini, "gemini-mini"),
        "gemini, set up": Cell(GEMINI, _gemini, "gemini-mini", None, "GEMINI_API_KEY"),
        "avante": Cell(NEOVIM, _avante, "gpt-mini", has_tools=False, more=block),
        "avante, set up": Cell(NEOVIM, _avante, "gpt-mini", None, has_tools=False, more=block),
    }
    if sys.version_info < (3, 13):
        aider = Cell(AIDER, _aider, "", has_tools=False, more=_AIDER_QUIET)
        listed["aider"] = aider
        listed["aider, set up"] = replace(aider, flags=None, key=openai)
    return listed


# Each takes 4 to 8 s of processor time to start: a trouble is shown to one of the two ways.
_SLOW = ("opencode", "gemini", "aider")


def by_run(person: Person) -> dict[str, Cell]:
    """Leave out the slow ones that are set up."""
    skipped = {f"{name}, set up" for name in _SLOW}
    return {name: cell for name, cell in cells(person).items() if name not in skipped}


def by_setup(person: Person) -> dict[str, Cell]:
    """Leave out the slow ones that `run` leads."""
    return {name: cell for name, cell in cells(person).items() if name not in _SLOW}


def prepare(person: Person) -> None:
    """Set up every program in one home; in the other only what no variable can say is set up."""
    seen = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    state = {"hasCompletedOnboarding": True, "theme": "dark", "projects": {str(person.home): seen}}
    for home in (person.home / "set-up", person.home / "led"):
        (home / ".aider" / "caches").mkdir(parents=True)
        (home / ".aider" / "caches" / PRICES).write_text('{"none": {}}')
        (home / ".claude.json").write_text(json.dumps(state))
        (home / ".codex").mkdir()
        quiet = "analytics.enabled = false\nfeatures.plugins = false\n"
        (home / ".codex" / "config.toml").write_text(quiet)
        (home / ".gemini").mkdir()
        login = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        quiet_too = {"privacy": {"usageStatisticsEnabled": False}}
        (home / ".gemini" / "settings.json").write_text(json.dumps(login | quiet_too))
    for words in (("claude",), ("codex",), ("opencode",), ("gemini",), ("aider",)):
        command = [PROGRAM, "setup", *words, "--socket", person.socket]
        with person.started(command, HOME=str(person.home / "set-up")) as process:
            said = process.communicate(timeout=60)
            assert process.returncode == 0, said
    printed = person.ctl("setup", "avante", "--model", "gpt-mini").stdout
    (person.home / "block.lua").write_text(printed)
