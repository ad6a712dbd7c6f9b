"""What a stranger installs: the release's files, by each of the usual installers."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .package import ROOT

if TYPE_CHECKING:
    from .conftest import Machine

RELEASE = (sys.executable, str(ROOT / ".ci" / "release.py"))
READER = Path(__file__).with_name("reader.py")


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command outside of the checkout; it must succeed."""
    done = subprocess.run(
        command,
        env={**os.environ, **variables},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "dist"
    run(*RELEASE, "build", folder)
    return folder


@pytest.fixture
def released(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_sdist_builds_the_wheel_that_the_tree_builds(released: Path, wheel: Path) -> None:
    assert contents(released) == contents(wheel)


def test_what_is_released_works_where_nothing_else_is(dist: Path) -> None:
    said = run(*RELEASE, "check", dist, "--for", "2s").stdout

    assert said.count("\nllmgwctl 0.1.0\n") == 2
    assert said.count("The demo is over; nothing is left behind.") == 2


def test_uv_installs_it_and_uvx_runs_the_demo(released: Path, tmp_path: Path) -> None:
    uv = (sys.executable, "-m", "uv")
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}

    run(*uv, "tool", "install", "--quiet", released, **folders)
    demo = run(*uv, "tool", "run", "--from", f"{released}[demo]", "llmgwd", "demo", "--for", "2s")

    units = run(tmp_path / "bin" / "llmgwctl", "service", "install", "--print").stdout
    assert f"\nExecStart={tmp_path / 'bin' / 'llmgwd'}\n" in units
    assert "nothing is left behind" in demo.stdout


def test_pipx_installs_it_and_takes_it_away(released: Path, tmp_path: Path) -> None:
    pipx = (sys.executable, "-m", "pipx")
    folders = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}

    run(*pipx, "install", "--quiet", "--backend", "uv", released, **folders)
    said = run(tmp_path / "bin" / "llmgwctl", "version").stdout
    run(*pipx, "uninstall", "--quiet", "llmgw", **folders)

    assert said.startswith("llmgwctl 0.1.0\n")
    assert list((tmp_path / "bin").iterdir()) == []


@pytest.mark.parametrize(
    ("written", "finds"),
    [
        ("", "Success: no issues found"),
        ("\nClient('').status()['statsu']\n", 'has no key "statsu"'),
        ("\nClient('').events(since=1)\n", 'Unexpected keyword argument "since"'),
    ],
    ids=["as it is", "a key that a status has not", "an argument that a watch does not take"],
)
def test_a_typed_program_is_checked_against_the_wheel(
    venv: Path, tmp_path: Path, written: str, finds: str
) -> None:
    program = tmp_path / "reader.py"
    program.write_text(READER.read_text() + written)

    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-color-output"]
    python = f"--python-executable={venv / 'bin' / 'python'}"
    cache = f"--cache-dir={venv.parent / 'mypy'}"
    done = subprocess.run(
        [*command, cache, python, program], capture_output=True, text=True, cwd="/", check=False
    )

    assert finds in done.stdout


def test_the_service_of_a_runner_survives_a_kill(machine: Machine) -> None:
    machine.config.unlink()

    said = machine.manager.call(sys.executable, str(ROOT / ".ci" / "service.py")).stdout

    assert "kill -9: the next request was answered after" in said
    assert f"removed {machine.manager.units / 'llmgwd.service'}" in said
    assert not machine.config.exists()
