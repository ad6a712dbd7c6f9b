"""The recipes of client/PROGRAMS.md, run as they stand: status lines, direnv, modules of nix."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import client_process
import pytest
import tomlkit

from llmgwd.config.file import parse
from support.terminal import before_a_terminal

if TYPE_CHECKING:
    from support.client.plain_daemon import Served

PROGRAMS = (Path(__file__).parents[2] / "client" / "PROGRAMS.md").read_text()
MODULE = """
let
  pkgs.formats.toml = _: { generate = _: value: value; };
  config.sops.secrets."litellm/key".path = "/run/secrets/litellm/key";
in import %s { inherit pkgs config; lib = { }; }
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PROGRAMS, re.MULTILINE | re.DOTALL)


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture
def environ(served: Served, tmp_path: Path) -> dict[str, str]:
    """A home, and this llmgwctl first among the programs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", "LLMGW_SOCKET": served.path}


@pytest.fixture
def short(served: Served) -> str:
    return client_process.run(served.path, "status", "--short").stdout.strip()


@pytest.mark.parametrize("state", ["as it is", "no daemon"])
def test_starship_and_waybar_show_the_state(
    environ: dict[str, str], short: str, state: str
) -> None:
    (starship,) = (tomllib.loads(text)["custom"]["llmgw"] for text in blocks("toml"))
    (waybar,) = (json.loads(text)["custom/llmgw"] for text in blocks("json"))
    socket = {} if state == "as it is" else {"LLMGW_SOCKET": "/nowhere"}

    for command in (starship["command"], waybar["exec"]):
        said = subprocess.run(
            ["sh", "-c", command],
            env=environ | socket,
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stderr == ""
        assert said.stdout.strip() == short if not socket else "llmgwd" in said.stdout


def test_tmux_shows_the_state(environ: dict[str, str], short: str, tmp_path: Path) -> None:
    tmux = [needs("tmux"), "-S", str(tmp_path / "tmux"), "-f", str(tmp_path / "tmux.conf")]
    (tmp_path / "tmux.conf").write_text(*blocks("tmux"))

    with before_a_terminal([*tmux, "new-session", "cat"], environ, tmp_path) as screen:
        screen.until(short)

    subprocess.run([*tmux, "kill-server"], env=environ, check=True)


def test_direnv_sets_the_variables_and_the_file_holds_no_key(
    served: Served, environ: dict[str, str], tmp_path: Path
) -> None:
    direnv = needs("direnv")
    line = client_process.run(served.path, "env", "--direnv").stdout
    (tmp_path / ".envrc").write_text(line)

    subprocess.run([direnv, "allow", str(tmp_path)], env=environ, check=True)
    said = subprocess.run(
        [direnv, "exec", str(tmp_path), "printenv", "OPENAI_BASE_URL"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert line == 'eval "$(llmgwctl env --shell bash)"\n'
    assert re.fullmatch(r"http://localhost:\d+/v1", said.stdout.strip())


def test_the_modules_of_nix_evaluate_to_a_configuration(tmp_path: Path) -> None:
    home_manager, sops = (evaluated(text, tmp_path) for text in blocks("nix"))

    settings = json.loads(home_manager["home"]["file"][".claude/settings.json"]["text"])
    held = tomlkit.dumps(home_manager["xdg"]["configFile"]["llmgw/config.toml"]["source"])
    assert settings["apiKeyHelper"] == "llmgwctl key"
    assert parse(held, "config.toml").forwards[0].name == "litellm"
    assert parse(sops["xdg"]["configFile"]["llmgw/config.toml"]["text"], "config.toml").forwards


def evaluated(module: str, folder: Path) -> dict[str, Any]:
    path = folder / "module.nix"
    path.write_text(module)
    command = [needs("nix-instantiate"), "--eval", "--strict", "--json", "-E", MODULE % path]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "NIX_REMOTE": "dummy://"}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    value: dict[str, Any] = json.loads(ended.stdout)
    return value
