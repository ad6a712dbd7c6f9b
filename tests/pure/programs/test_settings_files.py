"""What Claude Code's settings files set against a forward, and what beats them for one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmgwctl.gateway.claude_settings import (
    SettingsFile,
    managed_places,
    overriding,
    places,
    read,
    rivals,
    state_env,
    with_model,
)
from llmgwctl.gateway.programs.program import Endpoint

URL = "http://localhost:4000"
ENDPOINT = Endpoint(URL, "sk-gateway", ("claude-opus", "claude-sonnet"))
SHELL = {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "localhost"}
EXEMPT = "corp,localhost,127.0.0.1,::1"


def file(**env: str) -> SettingsFile:
    return SettingsFile("settings.json", env)


@pytest.mark.parametrize(
    ("env", "beaten_by"),
    [
        ({"ANTHROPIC_BASE_URL": "https://elsewhere"}, {"ANTHROPIC_BASE_URL": URL}),
        ({"ANTHROPIC_AUTH_TOKEN": "sk-mine"}, {"ANTHROPIC_AUTH_TOKEN": ""}),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, {"CLAUDE_CODE_USE_BEDROCK": ""}),
        (
            {"ANTHROPIC_CUSTOM_HEADERS": "x-team: blue\nx-api-key: sk-mine"},
            {"ANTHROPIC_CUSTOM_HEADERS": "x-team: blue"},
        ),
        ({"NO_PROXY": "corp"}, {"NO_PROXY": EXEMPT, "no_proxy": EXEMPT}),
        ({"ANTHROPIC_MODEL": "claude-3-opus"}, {"ANTHROPIC_MODEL": "claude-opus"}),
        ({"CLAUDE_CODE_SUBAGENT_MODEL": "gpt-5"}, {"CLAUDE_CODE_SUBAGENT_MODEL": ""}),
    ],
)
def test_what_a_file_sets_against_us_is_beaten_for_one_run(
    env: dict[str, str], beaten_by: dict[str, str]
) -> None:
    found = rivals([file(**env)], ENDPOINT, SHELL)

    settings = overriding(found, {**SHELL, **env}, ENDPOINT, "llmgwctl key")
    assert [name for name, _ in found] == list(env)
    assert settings["env"] == beaten_by
    assert "sk-" not in json.dumps(settings)


@pytest.mark.parametrize(
    "env",
    [
        {"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000"},
        {"CLAUDE_CODE_USE_BEDROCK": "0"},
        {"NO_PROXY": "corp,localhost"},
        {"HTTPS_PROXY": "http://other"},
        {"ANTHROPIC_MODEL": "sonnet[1m]"},
        {"FOO": "bar"},
    ],
)
def test_what_changes_nothing_for_us_is_left_to_the_file(env: dict[str, str]) -> None:
    assert rivals([file(**env)], ENDPOINT, SHELL) == []


def test_the_model_asked_for_beats_that_of_a_file() -> None:
    named = file(ANTHROPIC_MODEL="claude-sonnet")

    assert rivals([named], ENDPOINT, {}) == []
    assert rivals([named], ENDPOINT, {}, "claude-opus") == [("ANTHROPIC_MODEL", named)]


def test_without_a_key_no_key_of_a_file_is_a_rival() -> None:
    assert rivals([file(ANTHROPIC_AUTH_TOKEN="sk-mine")], Endpoint(URL), {}) == []


def test_the_main_model_is_of_the_file_that_wins_where_no_variable_names_one() -> None:
    files = [SettingsFile("user", {}, model="opus"), SettingsFile("project", {}, model="gpt-5")]

    assert with_model({}, files) == {"ANTHROPIC_MODEL": "gpt-5"}
    assert with_model({"ANTHROPIC_MODEL": "sonnet"}, files) == {"ANTHROPIC_MODEL": "sonnet"}


def test_the_files_are_read_in_the_order_in_which_they_win(tmp_path: Path) -> None:
    user, project = tmp_path / "elsewhere", tmp_path / "project"
    places = [
        user / "settings.json",
        project / ".claude" / "settings.json",
        project / ".claude" / "settings.local.json",
    ]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\ufeff{}" if place is places[1] else "{}")

    found = read({"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(user)}, str(project))

    assert [each.path for each in found] == [str(place) for place in places]


@pytest.mark.parametrize(
    ("moved", "place"),
    [(False, ".claude.json"), (False, ".claude/.config.json"), (True, "elsewhere/.claude.json")],
)
def test_what_claude_codes_state_sets_is_known_and_gives_way_to_the_settings(
    tmp_path: Path, moved: bool, place: str
) -> None:
    environ = {"HOME": str(tmp_path)}
    if moved:
        environ["CLAUDE_CONFIG_DIR"] = str(tmp_path / "elsewhere")
    state, settings = tmp_path / place, Path(places(environ, "/nowhere")[0])
    for path in (state, settings):
        path.parent.mkdir(parents=True, exist_ok=True)
    names = ("ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_BEDROCK")
    state.write_text(json.dumps({"apiKeyHelper": "x", "env": dict.fromkeys(names, "http://x")}))
    settings.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": URL}}))

    found = read(environ, "/nowhere")

    beaten = [(name, file.path) for name, file in rivals(found, ENDPOINT, {})]
    assert beaten == [("CLAUDE_CODE_USE_BEDROCK", str(state))]
    assert state_env(environ).keys() == set(names)


def test_the_owner_of_the_machine_may_have_a_folder_of_files(tmp_path: Path) -> None:
    base = tmp_path / "managed-settings"
    base.with_suffix(".d").mkdir()
    for name in ("20-b.json", "10-a.json", "notes.txt"):
        (base.with_suffix(".d") / name).touch()

    names = [Path(path).name for path in managed_places(str(base))]

    assert names == ["managed-settings.json", "10-a.json", "20-b.json"]
