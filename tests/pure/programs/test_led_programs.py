"""Programs that variables alone do not lead: by their command line, or by a model to ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asked_changes import ENDPOINT, URL, of, sentences, values

from llmgwctl.gateway.changes import Wish
from llmgwctl.gateway.programs.opencode import CONTENT, over
from llmgwctl.gateway.programs.program import Endpoint, Line, Start
from llmgwctl.gateway.programs.table import PROGRAMS


def test_a_model_that_the_gateway_offers_is_asked_of_it_by_aider() -> None:
    endpoint = Endpoint(URL, "sk-gateway", ("claude-sonnet", "gpt-mini"))
    environ = {"AIDER_MODEL": "claude-sonnet", "AIDER_WEAK_MODEL": "deepseek/chat"}

    found = values(of("aider", environ, endpoint=endpoint))

    assert found["AIDER_MODEL"] == "openai/claude-sonnet"
    assert "AIDER_WEAK_MODEL" not in found


def started(
    name: str, *words: str, home: Path = Path("/nowhere"), model: str = "", **environ: str
) -> Line:
    endpoint = Endpoint(URL, "sk-gateway", ("gpt-mini", "text-embedding-9", "claude-sonnet-4"))
    environ = {"HOME": str(home), **environ}
    return PROGRAMS[name].line(Start(endpoint, model, words, environ, str(home)))


def test_codex_is_led_by_its_command_line_which_holds_no_key() -> None:
    words = PROGRAMS["codex"].line(Start(ENDPOINT, "gpt-5", (), {}, "/nowhere")).words

    assert words == [
        "-c",
        'model_provider="llmgw-run"',
        "-c",
        'model_providers.llmgw-run={name="llmgw",base_url="http://localhost:4000/v1",'
        'env_key="OPENAI_API_KEY",wire_api="responses"}',
        "-c",
        'model="gpt-5"',
    ]


def test_opencode_chooses_no_model_that_the_gateway_lacks() -> None:
    listed = Endpoint(URL, "sk-gateway", ("gpt-mini", "claude-sonnet"))

    content = json.loads(values(of("opencode", {}, endpoint=listed))[CONTENT] or "")
    unknown = json.loads(values(of("opencode", {}))[CONTENT] or "")

    assert content["provider"]["openai"]["whitelist"] == ["gpt-mini", "claude-sonnet"]
    assert "whitelist" not in unknown["provider"]["openai"]


@pytest.mark.parametrize(
    ("held", "chosen"),
    [
        ("anthropic/claude-sonnet", "llmgw/claude-sonnet"),
        ("opencode/big-pickle", "llmgw/claude-sonnet"),
        ("openai/gpt-5", "llmgw/claude-sonnet"),
        ("openai/gpt-mini", None),
        ("llmgw/gpt-mini", None),
    ],
)
def test_a_model_of_another_provider_in_opencodes_file_is_asked_of_the_gateway(
    tmp_path: Path, held: str, chosen: str | None
) -> None:
    (tmp_path / "opencode").mkdir()
    text = f'// mine\n{{"model": "{held}", /* , */}}'
    (tmp_path / "opencode" / "opencode.jsonc").write_text(text)
    listed = Endpoint(URL, "sk-gateway", ("gpt-mini", "claude-sonnet"))

    found = of("opencode", {"XDG_CONFIG_HOME": str(tmp_path)}, endpoint=listed)

    assert json.loads(values(found)[CONTENT] or "").get("model") == chosen
    assert bool(sentences(found)) == bool(chosen)


LED = ["--openai-api-base", f"{URL}/v1", "--set-env", f"OPENAI_BASE_URL={URL}/v1"]


@pytest.mark.parametrize(
    ("name", "text", "words", "led"),
    [
        ("x", "", (), ["--model", "openai/claude-sonnet-4"]),
        ("x", "", ("--model", "openai/gpt-mini"), ["--model", "openai/gpt-mini"]),
        ("x", "", ("a.py", "--model=gpt-mini"), ["a.py", "--model", "openai/gpt-mini"]),
        (".aider.conf.yml", "model: sonnet # mine\n", (), ["--model", "openai/claude-sonnet-4"]),
        (".env", "AIDER_MODEL='deepseek/x'\n", (), ["--model", "openai/claude-sonnet-4"]),
        (
            ".aider.conf.yml",
            "model: openai/gpt-mini\nweak-model: gemini/flash\n",
            (),
            ["--weak-model", "openai/gpt-mini", "--model", "openai/gpt-mini"],
        ),
    ],
)
def test_aider_asks_the_gateway_whatever_provider_its_files_name(
    tmp_path: Path, name: str, text: str, words: tuple[str, ...], led: list[str]
) -> None:
    (tmp_path / name).write_text(text)

    found = started("aider", *words, home=tmp_path)

    assert found.words == LED + led
    assert bool(found.sentences) == (not words or words[0] == "a.py")


@pytest.mark.parametrize(
    ("config", "words", "chosen"),
    [
        ("", (), "gpt-mini"),
        ('model = "gpt-5"', (), "gpt-mini"),
        ('model = "claude-sonnet-4"', (), None),
        ("", ("exec", "-m", "gpt-5"), None),
        ("", ("-c", 'model = "gpt-5"'), None),
    ],
)
def test_codex_gets_a_model_of_the_gateways_where_it_would_ask_for_another(
    tmp_path: Path, config: str, words: tuple[str, ...], chosen: str | None
) -> None:
    (tmp_path / "config.toml").write_text(config)

    found = started("codex", *words, CODEX_HOME=str(tmp_path))

    assert found.words[4:] == ([] if chosen is None else ["-c", f'model="{chosen}"']) + [*words]
    assert bool(found.sentences) == bool(chosen)


def test_opencode_is_told_what_switches_the_gateway_on_and_its_agents_to_it() -> None:
    held = {
        "disabled_providers": ["openai", "groq"],
        "agent": {"build": {"model": "anthropic/x"}, "plan": {"model": "llmgw/gpt-mini"}},
        "provider": {"openai": {"options": {"headers": {"X-Api-Key": "sk-old", "x-a": "b"}}}},
    }

    changed, sentence = over(held, ["gpt-mini"])

    assert changed == {
        "disabled_providers": ["groq"],
        "agent": {"build": {"model": "llmgw/gpt-mini"}},
        "provider": {
            "openai": {"options": {"headers": {"X-Api-Key": "Bearer {env:OPENAI_API_KEY}"}}}
        },
    }
    assert sentence == ""


def test_opencode_keeps_what_its_variable_held() -> None:
    environ = {"OPENCODE_CONFIG_CONTENT": '{"theme": "dark", "provider": {"other": {}}}'}
    endpoint = Endpoint(URL, "sk-gateway", ("gpt-mini", "openai/*"))

    found = values(of("opencode", environ, Wish(model="gpt-mini"), endpoint))

    content = json.loads(found["OPENCODE_CONFIG_CONTENT"] or "")
    assert content["theme"] == "dark"
    assert set(content["provider"]) == {"other", "llmgw", "openai"}
    assert content["provider"]["llmgw"]["models"] == {"gpt-mini": {}}
    assert content["provider"]["openai"]["options"]["baseURL"] == f"{URL}/v1"
    assert content["enabled_providers"] == ["llmgw", "openai"]
    assert content["model"] == "llmgw/gpt-mini"
    assert "sk-gateway" not in (found["OPENCODE_CONFIG_CONTENT"] or "")


@pytest.mark.parametrize("kind", ["", "azure"])
def test_an_account_with_azure_does_not_keep_the_sdk_from_the_gateway(kind: str) -> None:
    found = of("openai", {"AZURE_OPENAI_API_KEY": "sk-azure", "OPENAI_API_TYPE": kind})

    assert values(found)["OPENAI_API_TYPE"] == "openai"
    assert "AZURE_OPENAI_API_KEY" not in values(found)
    assert sentences(found) == ["OPENAI_API_TYPE is openai: AZURE_OPENAI_API_KEY leads elsewhere"]
