"""Where the doctor says that the programs of a shell go: by rule, whatever set it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from llmgwctl.doctor.claude import models_asked_for
from llmgwctl.doctor.shell import check_shell
from llmgwctl.doctor.surroundings import Surroundings, look
from llmgwctl.gateway.claude_settings import SettingsFile
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.wire import CheckState

URL = "http://localhost:4000"
ENDPOINT = Endpoint(URL, "sk-k", ("claude-opus-4-1", "claude-sonnet-4-5"))
LED = {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_AUTH_TOKEN": "sk-k"}
USER = "/home/me/.claude/settings.json"


def looked_at(
    environ: dict[str, str], *settings: SettingsFile, endpoint: Endpoint = ENDPOINT
) -> list[tuple[str, str]]:
    lines = check_shell(Surroundings(environ, settings), endpoint)
    assert "sk-" not in repr(lines)
    return [(line["state"], line["found"]) for line in lines]


def states(found: list[tuple[str, str]]) -> list[str]:
    return [state for state, _ in found]


def test_a_clean_shell_is_told_how_to_point_at_the_gateway() -> None:
    (found,) = check_shell(Surroundings({"SHELL": "/usr/bin/fish"}), ENDPOINT)

    assert found["state"] == CheckState.INFO
    assert found["remedy"] == "llmgwctl env | source"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_any_name_of_this_machine_is_right(host: str) -> None:
    environ = LED | {"ANTHROPIC_BASE_URL": f"http://{host}:4000/"}

    assert looked_at(environ) == [(CheckState.OK, f"Claude Code leads to {URL}")]


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_the_sdks_are_right_with_and_without_v1(path: str) -> None:
    environ = {"OPENAI_BASE_URL": f"http://127.0.0.1:4000{path}", "OPENAI_API_KEY": "sk-k"}

    assert states(looked_at(environ)) == [CheckState.OK]


@pytest.mark.parametrize(
    "url", ["http://localhost:4001", "https://localhost:4000", "http://gateway.corp:4000"]
)
def test_another_port_scheme_or_host_is_elsewhere(url: str) -> None:
    assert states(looked_at(LED | {"ANTHROPIC_BASE_URL": url})) == [CheckState.WARNING]


def test_a_right_helper_is_right_and_the_file_is_named() -> None:
    settings = SettingsFile(USER, {"ANTHROPIC_BASE_URL": URL}, "llmgwctl key --forward litellm")

    assert looked_at({}, settings) == [(CheckState.OK, f"Claude Code leads to {URL}, by {USER}")]


def test_another_helper_is_reported() -> None:
    settings = SettingsFile(USER, {"ANTHROPIC_BASE_URL": URL}, "cat ~/.key")

    assert looked_at({}, settings) == [
        (CheckState.WARNING, f"{USER} sets apiKeyHelper, and it is not llmgwctl key")
    ]


def test_a_file_that_wins_over_the_shell_wins_here_too() -> None:
    project = SettingsFile("/p/.claude/settings.json", {"ANTHROPIC_BASE_URL": "https://elsewhere"})
    local = SettingsFile("/p/.claude/settings.local.json", {"ANTHROPIC_BASE_URL": URL})

    (wrong,), (right,) = looked_at(LED, project), looked_at(LED, project, local)

    assert wrong == (
        CheckState.WARNING,
        f"ANTHROPIC_BASE_URL is https://elsewhere, not {URL} in /p/.claude/settings.json",
    )
    assert right == (CheckState.OK, f"Claude Code leads to {URL}, by {local.path}")


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "Claude Code calls Amazon Bedrock, never this gateway"),
        ({"ANTHROPIC_UNIX_SOCKET": "/s"}, "Claude Code asks this socket, never this gateway"),
        ({"ANTHROPIC_AUTH_TOKEN": "sk-other"}, "ANTHROPIC_AUTH_TOKEN is set: it is another key"),
        ({"ANTHROPIC_API_KEY": "sk-ant-mine"}, "may send it in place of the gateway's key"),
        ({"ANTHROPIC_CUSTOM_HEADERS": "x-litellm-api-key: sk-old"}, "the gateway takes the key"),
        ({"HTTPS_PROXY": "http://p:1"}, "to the proxy of HTTPS_PROXY, key and all"),
    ],
)
def test_what_beats_claudes_variables_is_named(more: dict[str, str], found: str) -> None:
    ((state, text),) = looked_at(LED | more)

    assert state == CheckState.WARNING
    assert found in text


def test_a_proxy_that_does_not_get_our_requests_is_no_news() -> None:
    environ = LED | {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "corp, localhost"}

    assert states(looked_at(environ)) == [CheckState.OK]


def test_our_key_in_the_gateways_own_header_is_right() -> None:
    environ = {"ANTHROPIC_BASE_URL": URL}
    environ["ANTHROPIC_CUSTOM_HEADERS"] = "x-litellm-api-key: Bearer sk-k"

    assert states(looked_at(environ)) == [CheckState.OK]


def test_no_key_at_all_is_reported() -> None:
    assert states(looked_at({"ANTHROPIC_BASE_URL": URL})) == [CheckState.WARNING]


def test_a_gateway_whose_names_claude_code_does_not_know_needs_its_variables() -> None:
    endpoint = Endpoint(URL, "sk-k", ("our-claude-opus", "our-claude-sonnet"))
    named = {
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "our-claude-opus",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "our-claude-sonnet",
    }

    assert states(looked_at(LED, endpoint=endpoint)) == [CheckState.OK, CheckState.WARNING]
    assert states(looked_at(LED | named, endpoint=endpoint)) == [CheckState.OK]


def test_sdks_with_a_key_and_no_address_go_to_openai() -> None:
    ((state, text),) = looked_at({"OPENAI_API_KEY": "sk-real-secret"})

    assert state == CheckState.WARNING
    assert "SDKs go to api.openai.com" in text


def test_an_address_elsewhere_is_shown_without_its_password() -> None:
    ((_, text),) = looked_at({"OPENAI_BASE_URL": "https://me:sk-secret@api.example/v1"})

    assert text == f"OPENAI_BASE_URL is https://…@api.example/v1, not {URL}/v1"


@pytest.mark.parametrize(
    ("config", "state", "found"),
    [
        ("", CheckState.INFO, "Codex goes to OpenAI"),
        ('model_provider = "x"\n[model_providers.x]\nbase_url = "https://x/v1"', "info", "https"),
        (
            'model_provider = "x"\n[model_providers.x]\nbase_url = "http://127.0.0.1:4000/v1"',
            CheckState.OK,
            "Codex leads to",
        ),
        (
            'model_provider = "x"\n[model_providers.x]\nbase_url = "http://localhost:4000/v1"\n'
            'env_key = "OPENAI_API_KEY"',
            CheckState.WARNING,
            "OPENAI_API_KEY, where it takes the key from, is not set",
        ),
        (
            'model = "gpt-5"\nmodel_provider = "x"\n[model_providers.x]\n'
            'base_url = "http://localhost:4000/v1"',
            CheckState.WARNING,
            "asks for gpt-5, which the gateway does not offer",
        ),
    ],
)
def test_codex_goes_where_its_configuration_leads(config: str, state: str, found: str) -> None:
    line = check_shell(Surroundings({}, codex_config=tomllib.loads(config)), ENDPOINT)[0]

    assert line["state"] == state
    assert found in line["found"]


def test_the_files_are_read_where_the_programs_read_them(tmp_path: Path) -> None:
    mine, project = tmp_path / "mine", tmp_path / "project"
    for folder, name, model in (
        (mine, "settings.json", "of-the-user"),
        (project / ".claude", "settings.json", "of-the-project"),
        (project / ".claude", "settings.local.json", "of-my-project"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        held = {"env": {"ANTHROPIC_MODEL": model, f"ANTHROPIC_{model[3:5]}": "x"}}
        (folder / name).write_text(json.dumps(held))
    codex = tmp_path / "codex"
    codex.mkdir()
    (codex / "config.toml").write_text('model_provider = "x"')
    (tmp_path / "claude").touch(0o755)
    environ = {"CLAUDE_CONFIG_DIR": str(mine), "CODEX_HOME": str(codex), "PATH": str(tmp_path)}

    found = look(environ, str(project))

    assert models_asked_for(environ, found.settings) == ["of-my-project"]
    assert [Path(file.path).parent for file in found.settings[:2]] == [mine, project / ".claude"]
    assert found.codex_config == {"model_provider": "x"}
    assert found.installed == {"claude"}


def test_a_broken_file_does_nothing_and_is_named(tmp_path: Path) -> None:
    settings = tmp_path / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{\n// mine\n"env": {"ANTHROPIC_BASE_URL": "http://elsewhere"}}')

    found = look({"HOME": str(tmp_path), "PATH": ""}, "/nowhere")
    lines = check_shell(found, ENDPOINT)

    assert lines[0]["found"] == f"Claude Code takes nothing from {settings}: line 2 is no JSON"
    assert not any("elsewhere" in line["found"] for line in lines)


def test_a_program_that_leads_to_another_forward_is_judged_by_that_one() -> None:
    second = Endpoint("http://127.0.0.1:4001", "sk-second", ENDPOINT.models)
    led = {
        "ANTHROPIC_BASE_URL": "http://localhost:4001/",
        "ANTHROPIC_AUTH_TOKEN": "sk-second",
        "OPENAI_BASE_URL": "http://127.0.0.1:4001/v1",
        "OPENAI_API_KEY": "sk-k",
    }

    lines = check_shell(Surroundings(led), ENDPOINT, [second])

    assert [line["state"] for line in lines] == ["ok", "warning"]
    assert lines[1]["found"] == "OPENAI_API_KEY is set to another key"


@pytest.mark.parametrize(
    ("model", "key", "state", "words"),
    [
        ("llmgw/x", "sk-k", "ok", "opencode leads to http://localhost:4000/v1"),
        ("", "sk-k", "ok", "by its configuration"),
        ("anthropic/x", "sk-k", "warning", "its model is anthropic/x"),
        ("llmgw/x", "", "warning", "OPENAI_API_KEY, where it takes the key from"),
    ],
)
def test_opencode_is_judged_by_its_configuration(
    model: str, key: str, state: str, words: str
) -> None:
    options = {"baseURL": f"{URL}/v1", "apiKey": "{env:OPENAI_API_KEY}"}
    config = {"model": model, "provider": {"llmgw": {"options": options}}}
    environ = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{URL}/v1"}

    line = check_shell(Surroundings(environ, opencode_config=config), ENDPOINT)[0]

    assert line["state"] == state
    assert words in line["found"]


@pytest.mark.parametrize(
    ("model", "key", "state"),
    [("openai/x", "sk-k", "ok"), ("sonnet", "sk-k", "warning"), ("openai/x", "", "warning")],
)
def test_aider_is_judged_by_its_settings(model: str, key: str, state: str) -> None:
    settings = {"openai-api-base": f"{URL}/v1", "model": model}
    environ = {"OPENAI_API_KEY": key}

    line = check_shell(Surroundings(environ, aider_settings=settings), ENDPOINT)[0]
    environ["HTTP_PROXY"] = "http://proxy"
    proxied = check_shell(Surroundings(environ, aider_settings=settings), ENDPOINT)[0]

    assert line["state"] == state
    assert line["found"].startswith("aider leads to")
    assert proxied["state"] == "warning"
    assert ("proxy of HTTP_PROXY" in proxied["found"]) == (state == "ok")
