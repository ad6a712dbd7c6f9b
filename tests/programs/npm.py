"""Real programs from npm, pinned, each in a folder of the user's cache.

Together they are about 1 GB. They are installed once; what cannot be installed fails.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pytest


@dataclass(frozen=True)
class Package:
    """A package and the command that it installs."""

    name: str
    version: str
    command: str


CLAUDE_CODE = Package("@anthropic-ai/claude-code", "2.1.197", "claude")
CODEX = Package("@openai/codex", "0.171.0", "codex")
OPENCODE = Package("opencode-ai", "1.18.33", "opencode")


def installed(package: Package) -> Path:
    """Give the folder that holds the command, installed if it is not there yet."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here: real programs are installed with it")
    bare = package.name.rpartition("/")[2]
    folder = platformdirs.user_cache_path("llmgw-tests") / f"npm-{bare}-{package.version}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            command = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund"]
            command += ["--loglevel", "error"]
            subprocess.run([*command, f"{package.name}@{package.version}"], check=True)
            (folder / "complete").touch()
    return folder / "node_modules" / ".bin"
