"""The client's rule for paths, in the standard library, is that of platformdirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from llmgwctl import paths
from llmgwd.system.files.folders import state_folder


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in [each for each in os.environ if each.startswith(("XDG_", "LLMGW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("chosen", [None, "", "/elsewhere", "not/absolute"])
def test_the_configuration_of_linux_is_where_platformdirs_puts_it(
    chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chosen is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", chosen)

    expected = os.path.join(Unix(paths.APP, appauthor=False).user_config_dir, "config.toml")
    assert paths.config_path(os.environ, "linux") == expected


def test_the_configuration_of_macos_is_where_platformdirs_puts_it() -> None:
    expected = os.path.join(MacOS(paths.APP, appauthor=False).user_config_dir, "config.toml")
    assert paths.config_path(os.environ, "darwin") == expected


def test_the_runtime_folder_of_linux_is_where_platformdirs_puts_it(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))

    expected = Unix(paths.APP, appauthor=False).user_runtime_dir
    assert paths.runtime_folder(os.environ, "linux") == expected


def test_the_runtime_folder_of_macos_is_not_among_those_the_system_clears() -> None:
    cleared = MacOS(paths.APP, appauthor=False).user_runtime_dir
    support = MacOS(paths.APP, appauthor=False).user_config_dir

    found = paths.runtime_folder(os.environ, "darwin")

    assert "TemporaryItems" in cleared
    assert found == os.path.join(support, "run")


@pytest.mark.parametrize("chosen", [None, "", "/elsewhere", "not/absolute"])
def test_the_state_of_linux_is_where_platformdirs_puts_it(
    chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chosen is not None:
        monkeypatch.setenv("XDG_STATE_HOME", chosen)

    expected = Unix(paths.APP, appauthor=False).user_state_dir
    assert paths.state_folder(os.environ, "linux") == str(state_folder()) == expected


def test_the_state_of_macos_is_where_platformdirs_puts_it_or_where_the_variable_says() -> None:
    expected = MacOS(paths.APP, appauthor=False).user_state_dir
    assert paths.state_folder(os.environ, "darwin") == expected
    chosen = {"LLMGW_STATE_DIR": "/state"}
    assert paths.state_folder(chosen, "darwin") == str(state_folder(chosen)) == "/state"
