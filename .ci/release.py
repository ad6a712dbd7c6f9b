"""Builds a release and checks it: what .github/workflows/release.yml calls, one command a step.

    python .ci/release.py notes v0.1.0     # the changelog's section, if all agree on the version
    python .ci/release.py build dist       # the sdist, and the wheel from it
    python .ci/release.py check dist       # each installed in an environment of its own, and run

Needs nothing but Python; uv, which builds and installs, is fetched where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = ROOT / ".github" / "CHANGELOG.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    notes = commands.add_parser("notes")
    notes.add_argument("tag")
    build = commands.add_parser("build")
    build.add_argument("folder", type=Path)
    check = commands.add_parser("check")
    check.add_argument("folder", type=Path)
    check.add_argument("--for", dest="demo_for", default="10s", help="how long the demo runs")
    given = parser.parse_args()
    if given.command == "notes":
        print(section(CHANGELOG.read_text(), version_of(given.tag)))
    elif given.command == "build":
        uv("build", "--quiet", "--out-dir", str(given.folder), str(ROOT))
    else:
        for path in artifacts(given.folder):
            try_out(path, given.demo_for)


def version_of(tag: str) -> str:
    """Give a tag's version, which must be the one of pyproject.toml and of the client."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    client = (ROOT / "client" / "llmgwctl" / "__init__.py").read_text()
    if f'__version__ = "{declared}"' not in client:
        sys.exit(f"client/llmgwctl/__init__.py is not of version {declared}")
    if tag != f"v{declared}":
        sys.exit(f"the tag {tag} is not v{declared}, the version in pyproject.toml")
    return str(declared)


def section(changelog: str, version: str) -> str:
    """Give what the changelog says of a version, without its heading."""
    found = re.search(
        rf"^## {re.escape(version)}\b[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if found is None or not found[1].strip():
        sys.exit(f"{CHANGELOG.name} says nothing of {version}")
    return found[1].strip()


def artifacts(folder: Path) -> list[Path]:
    found = [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]
    if len(found) != 2:
        sys.exit(f"one wheel and one sdist are expected in {folder}, not {len(found)} files")
    return found


def try_out(path: Path, demo_for: str) -> None:
    """Install a file as a newcomer would, and have both programs do something."""
    with tempfile.TemporaryDirectory(prefix="llmgw-release-") as home:
        print(f"== {path.name}", flush=True)
        environment = Path(home) / "venv"
        uv("venv", "--quiet", "--python", sys.executable, str(environment))
        wanted = f"{path.resolve()}[demo]"
        uv("pip", "install", "--quiet", "--python", str(environment), wanted)
        # Nothing of who runs this: no checkout, no configuration.
        clean = {"HOME": home, "PATH": os.environ["PATH"]}
        for words in (["llmgwctl", "version"], ["llmgwd", "demo", "--for", demo_for]):
            program = environment / "bin" / words[0]
            subprocess.run([program, *words[1:]], check=True, env=clean, cwd=home)


def uv(*words: str) -> None:
    if importlib.util.find_spec("uv") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "uv"], check=True)
    subprocess.run([sys.executable, "-m", "uv", *words], check=True)


if __name__ == "__main__":
    main()
