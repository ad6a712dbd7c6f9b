"""What setup makes of each program's file: leads there, holds no key, and can be taken back."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.setup import plan
from llmgwctl.setup.recipes import RECIPES, Request

if TYPE_CHECKING:
    from llmgwctl.setup.document import Edit

URL = "http://localhost:4000"
ENDPOINT = Endpoint(URL, models=("claude-haiku", "claude-sonnet", "gpt-mini"))
LEFTOVERS = {
    "ANTHROPIC_CUSTOM_HEADERS": "x-team: blue\nx-litellm-api-key: Bearer sk-old-key",
    "ANTHROPIC_API_KEY": "sk-ant-mine",
    "HTTPS_PROXY": "http://proxy.corp:3128",
    "LITELLM_MASTER_KEY": "sk-master-key",
}


def edits(
    name: str, text: str = "", environ: dict[str, str] | None = None, **fields: Any
) -> list[Edit]:
    recipe = RECIPES[name][-1]
    held = plan.document(text, recipe.format).get(())
    return recipe.edits(Request(ENDPOINT, environ or {}, held, **fields))


def made(name: str, text: str = "", environ: dict[str, str] | None = None, **fields: Any) -> str:
    recipe = RECIPES[name][-1]
    after = plan.done(text, recipe.format, edits(name, text, environ, **fields)).after
    assert after is not None
    assert "sk-" not in after
    return after


def test_claude_is_led_and_what_the_shell_has_left_over_is_emptied() -> None:
    held = json.loads(made("claude", environ=LEFTOVERS))

    assert held == {
        "env": {
            "ANTHROPIC_API_KEY": "",
            "ANTHROPIC_CUSTOM_HEADERS": "x-team: blue",
            "ANTHROPIC_BASE_URL": URL,
            "ANTHROPIC_AUTH_TOKEN": "",
            "no_proxy": "localhost,127.0.0.1,::1",
            "NO_PROXY": "localhost,127.0.0.1,::1",
            "ANTHROPIC_DEFAULT_SONNET_MODEL": "claude-sonnet",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "claude-haiku",
            "ANTHROPIC_MODEL": "claude-sonnet",
        },
        "apiKeyHelper": "llmgwctl key",
    }


def test_claude_shows_the_forwards_state_where_it_is_asked_to() -> None:
    held = json.loads(made("claude", status_command=("llmgwctl", "status", "--short")))

    command = "llmgwctl status --short 2>&1 || true"
    assert held["statusLine"] == {"type": "command", "command": command}


def test_codex_takes_the_key_from_a_command() -> None:
    held = tomllib.loads(made("codex", "[profiles.x]\nmodel = 'y'\n", model="gpt-mini"))

    assert held == {
        "model_provider": "llmgw",
        "model": "gpt-mini",
        "profiles": {"x": {"model": "y"}},
        "model_providers": {
            "llmgw": {
                "name": "llmgw",
                "base_url": f"{URL}/v1",
                "wire_api": "responses",
                "auth": {"command": "llmgwctl", "args": ["key"]},
            }
        },
    }


def test_opencode_gets_the_gateways_models_and_no_way_to_openai() -> None:
    held = json.loads(made("opencode", model="gpt-mini"))

    assert list(held["provider"]["llmgw"]["models"]) == list(ENDPOINT.models or ())
    assert held["provider"]["openai"]["options"]["baseURL"] == f"{URL}/v1"
    assert held["model"] == "llmgw/gpt-mini"


def test_gemini_logs_in_by_key() -> None:
    login = RECIPES["gemini"][0]
    text = '{"security": {"auth": {"selectedType": "oauth-personal"}}}'

    after = plan.done(text, login.format, login.edits(Request(ENDPOINT, {}, {}))).after

    assert after == text.replace("oauth-personal", "gemini-api-key")


def test_aider_and_gemini_get_their_addresses() -> None:
    assert made("aider", model="gpt-mini") == f"openai-api-base: {URL}/v1\nmodel: openai/gpt-mini\n"
    assert made("gemini") == f"GOOGLE_GEMINI_BASE_URL={URL}\n"


def test_where_the_daemon_injects_the_key_programs_get_the_placeholder() -> None:
    claude = json.loads(made("claude", placeholder="llmgw"))
    opencode = json.loads(made("opencode", placeholder="llmgw"))

    assert claude["env"]["ANTHROPIC_AUTH_TOKEN"] == "llmgw"
    assert "apiKeyHelper" not in claude
    assert opencode["provider"]["llmgw"]["options"]["apiKey"] == "llmgw"
    assert "openai-api-key: llmgw\n" in made("aider", placeholder="llmgw")
    assert "GEMINI_API_KEY=llmgw\n" in made("gemini", placeholder="llmgw")


OWN = {
    "claude": '{\n  "env": {"ANTHROPIC_AUTH_TOKEN": "mine", "A": "1"},\n  "model": "opus"\n}\n',
    "codex": '# mine\nmodel_provider = "openai"\n\n[profiles.x]\nmodel = "y"\n',
    "opencode": '{\n  // mine\n  "theme": "dark",\n  "provider": {"openai": {"name": "x"}},\n}\n',
    "aider": "# mine\nopenai-api-base: https://x/v1\n",
    "gemini": "# mine\nA=1\n",
}


@pytest.mark.parametrize("name", OWN)
def test_a_second_time_changes_nothing(name: str) -> None:
    once = made(name, OWN[name])

    assert made(name, once) == once


@pytest.mark.parametrize("name", OWN)
def test_undo_gives_back_the_file_to_the_byte(name: str) -> None:
    once = made(name, OWN[name])
    record = plan.read_record(plan.recorded(edits(name, OWN[name]), None))

    texts = plan.undone(once, OWN[name], RECIPES[name][-1].format, record)

    assert texts.after == OWN[name]


@pytest.mark.parametrize("name", OWN)
def test_undo_of_a_file_that_setup_made_removes_it(name: str) -> None:
    record = plan.read_record(plan.recorded(edits(name), None))

    assert plan.undone(made(name), None, RECIPES[name][-1].format, record).after is None


def test_undo_keeps_what_was_changed_since() -> None:
    record = plan.read_record(plan.recorded(edits("claude", OWN["claude"]), None))
    later = json.loads(made("claude", OWN["claude"]))
    later["env"]["B"] = "2"
    later["env"]["ANTHROPIC_MODEL"] = "gpt-mini"

    texts = plan.undone(json.dumps(later), OWN["claude"], "json", record)

    assert json.loads(texts.after or "") == {
        "env": {
            "ANTHROPIC_AUTH_TOKEN": "mine",
            "A": "1",
            "B": "2",
            "ANTHROPIC_MODEL": "gpt-mini",
        },
        "model": "opus",
    }


def test_a_second_setup_adds_to_the_record_of_the_first() -> None:
    first = plan.recorded(edits("codex", model="gpt-mini"), None)

    both = plan.read_record(plan.recorded(edits("codex"), first))

    assert ("model",) in {edit.path for edit in both}


def test_of_a_damaged_record_nothing_is_believed() -> None:
    assert plan.read_record("[1") == plan.read_record("[1]") == []


def test_the_difference_shows_no_key_of_the_person() -> None:
    text = '{\n  "env": {\n    "ANTHROPIC_AUTH_TOKEN": "plain-word"\n  }\n}\n'

    shown = plan.difference(plan.done(text, "json", edits("claude", text)), "settings.json")

    assert '-    "ANTHROPIC_AUTH_TOKEN": [secret]\n' in shown
    assert "plain-word" not in shown
    assert f'+    "ANTHROPIC_BASE_URL": "{URL}"' in shown
    assert '"apiKeyHelper": "llmgwctl key"' in shown
