"""Wheels of this source tree, and environments in which nothing but such a wheel is llmgw."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("daemon", "client", "systemd", "launchd", "README.md", "LICENSE", "pyproject.toml")


def build(folder: Path, version: str) -> Path:
    """Build a wheel of the working tree that says it is this version."""
    source = folder / "source"
    for part in _PARTS:
        if (ROOT / part).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
            shutil.copytree(ROOT / part, source / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, source / part)
    _set(source / "pyproject.toml", r'^version = ".*"$', f'version = "{version}"')
    _set(
        source / "client/llmgwctl/__init__.py",
        r'^__version__ = ".*"$',
        f'__version__ = "{version}"',
    )
    _pip("wheel", "--no-deps", f"--wheel-dir={folder}", str(source))
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder: Path, wheel: Path) -> Path:
    """Make a virtual environment with the wheel; what it depends on is borrowed from here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    install(folder, wheel)
    (site,) = (folder / "lib").glob("python*/site-packages")
    # A path file in a borrowed folder is not read, so an editable llmgw there stays unseen.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def install(folder: Path, wheel: Path) -> None:
    python = str(folder / "bin" / "python")
    _pip("--python", python, "install", "--no-deps", "--force-reinstall", str(wheel))


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def _set(path: Path, pattern: str, line: str) -> None:
    text, count = re.subn(pattern, line, path.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{path} has no {pattern}"
    path.write_text(text)
