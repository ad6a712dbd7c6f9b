"""What a shell and `man` find after an installation from a wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from llmgwctl.cli.completion import SCRIPTS


def environ(venv: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}", "LANG": "C.UTF-8", **more}


def said(venv: Path, *command: str, **more: str) -> str:
    ended = subprocess.run(
        command, env=environ(venv, **more), capture_output=True, text=True, check=True
    )
    return ended.stdout


def test_the_manual_page_is_found_where_its_folder_is_searched(venv: Path) -> None:
    page = venv / "share" / "man" / "man1" / "llmgwctl.1"

    assert ".SH NAME\nllmgwctl" in page.read_text()
    assert "The manual page: man llmgwctl\n" in said(venv, "llmgwctl", "help")
    elsewhere = said(venv, "llmgwctl", "help", MANPATH="/nowhere")
    assert "The manual page: llmgwctl help --man | man -l -\n" in elsewhere
    if shutil.which("man"):
        assert said(venv, "man", "-w", "llmgwctl") == f"{page}\n"


def test_each_shell_gets_its_completions(venv: Path) -> None:
    places = {
        "bash": "bash-completion/completions/llmgwctl",
        "zsh": "zsh/site-functions/_llmgwctl",
        "fish": "fish/vendor_completions.d/llmgwctl.fish",
    }

    held = {shell: (venv / "share" / place).read_text() for shell, place in places.items()}

    assert held == SCRIPTS
