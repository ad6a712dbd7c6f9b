"""llmgwctl setup as a person calls it: the file, its backup, the difference, and back again."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import client_process
import pytest

from llmgwctl.setup import file

if TYPE_CHECKING:
    from support.client.plain_daemon import Served

OWN = '{\n  "model": "opus",\n  "env": {\n    "ANTHROPIC_AUTH_TOKEN": "mine"\n  }\n}\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".claude").mkdir()
    return tmp_path


def setup(served: Served, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    ended = client_process.run(served.path, "setup", *words, HOME=str(home))
    assert ended.returncode == 0, ended
    return ended


def settings(home: Path) -> Path:
    return home / ".claude" / "settings.json"


def test_it_writes_shows_the_difference_and_takes_it_back(served: Served, home: Path) -> None:
    settings(home).write_text(OWN)
    settings(home).chmod(0o640)

    ended = setup(served, home, "claude")

    held = json.loads(settings(home).read_text())
    assert held["model"] == "opus"
    assert held["env"]["ANTHROPIC_BASE_URL"].startswith("http://localhost:")
    assert held["env"]["ANTHROPIC_AUTH_TOKEN"] == ""
    assert held["apiKeyHelper"].endswith("llmgwctl key")
    assert '+    "ANTHROPIC_BASE_URL": ' in ended.stdout
    assert "mine" not in ended.stdout
    assert stat.S_IMODE(settings(home).stat().st_mode) == 0o640
    backup = settings(home).with_name("settings.json.llmgw-backup")
    assert backup.read_text() == OWN
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600

    assert "leads there already" in setup(served, home, "claude").stdout
    setup(served, home, "claude", "--undo")
    assert settings(home).read_text() == OWN
    assert [each.name for each in (home / ".claude").iterdir()] == ["settings.json"]


def test_a_file_that_was_not_there_is_not_there_after_undo(served: Served, home: Path) -> None:
    setup(served, home, "codex")
    made = home / ".codex" / "config.toml"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600

    setup(served, home, "codex", "--undo")

    assert list(made.parent.iterdir()) == []


def test_undo_needs_no_daemon(served: Served, home: Path, tmp_path: Path) -> None:
    setup(served, home, "aider")

    ended = client_process.run(
        str(tmp_path / "none.sock"), "setup", "aider", "--undo", HOME=str(home)
    )

    assert ended.returncode == 0
    assert not (home / ".aider.conf.yml").exists()


def test_undo_of_nothing_says_so(served: Served, home: Path) -> None:
    assert "has nothing of it" in setup(served, home, "gemini", "--undo").stdout


@pytest.mark.parametrize("program", ["claude", "codex", "opencode", "aider", "avante", "gemini"])
def test_print_writes_no_file(served: Served, home: Path, program: str) -> None:
    before = sorted(home.rglob("*"))

    ended = setup(served, home, program, "--print")

    assert "localhost" in ended.stdout
    assert sorted(home.rglob("*")) == before


def test_avante_gets_its_whole_working_block(served: Served, home: Path) -> None:
    ended = setup(served, home, "avante", "--model", "gpt-mini")

    assert 'provider = "openai",' in ended.stdout
    assert '    model = "gpt-mini",' in ended.stdout
    assert '    api_key_name = "cmd:llmgwctl key",' in ended.stdout


def test_a_link_stays_a_link(served: Served, home: Path) -> None:
    kept = home / "dotfiles.json"
    kept.write_text(OWN)
    settings(home).symlink_to(kept)

    setup(served, home, "claude")

    assert settings(home).is_symlink()
    assert "apiKeyHelper" in kept.read_text()


def test_a_file_that_is_broken_is_left_as_it_is(served: Served, home: Path) -> None:
    settings(home).write_text("{ no json")

    ended = client_process.run(served.path, "setup", "claude", HOME=str(home))

    assert ended.returncode == 1
    assert "is left as it is: line 1 is no JSON" in ended.stderr
    assert settings(home).read_text() == "{ no json"


def test_a_read_only_file_is_refused_and_nothing_is_left_beside_it(
    served: Served, home: Path
) -> None:
    settings(home).write_text(OWN)
    settings(home).chmod(0o444)

    ended = client_process.run(served.path, "setup", "claude", HOME=str(home))

    assert ended.returncode == 1
    assert f"{settings(home)} is read-only" in ended.stderr
    assert settings(home).read_text() == OWN
    assert [each.name for each in (home / ".claude").iterdir()] == ["settings.json"]


def test_what_another_program_wrote_meanwhile_is_not_lost(home: Path) -> None:
    settings(home).write_text(OWN)
    read = file.read(str(settings(home)))
    settings(home).write_text("{}")

    with pytest.raises(file.Outrun):
        file.replace(str(settings(home)), read, "ours")

    assert settings(home).read_text() == "{}"


def test_what_claude_code_remembers_of_a_shell_is_emptied(served: Served, home: Path) -> None:
    (home / ".claude.json").write_text('{"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}')

    setup(served, home, "claude")

    assert json.loads(settings(home).read_text())["env"]["CLAUDE_CODE_USE_BEDROCK"] == ""


def test_a_file_that_wins_over_the_written_one_is_named(served: Served, home: Path) -> None:
    project = home / "project"
    (project / ".claude").mkdir(parents=True)
    local = project / ".claude" / "settings.local.json"
    local.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": "https://elsewhere"}}))

    ended = subprocess.run(
        [*client_process.COMMAND, "setup", "claude"],
        env=client_process.environment(served.path, HOME=str(home)),
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"{local} sets ANTHROPIC_BASE_URL, whatever the shell says" in ended.stderr


@pytest.mark.parametrize("program", ["codex", "gemini"])
def test_env_says_where_no_variable_leads_a_program(
    served: Served, home: Path, program: str
) -> None:
    ended = client_process.run(served.path, "env", "--for", program, HOME=str(home))

    setup(served, home, program)
    after = client_process.run(served.path, "env", "--for", program, HOME=str(home))
    assert f": llmgwctl setup {program}\n" in ended.stderr
    assert "llmgwctl setup" not in after.stderr
