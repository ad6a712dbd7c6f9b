"""Programs that variables alone do not lead: by their command line, or by a model to ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asked_changes import ENDPOINT, URL, of, sentences, values

from llmgwctl.gateway.changes import Wish
from llmgwctl.gateway.programs.opencode import CONTENT
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.gateway.programs.table import PROGRAMS


def test_a_model_that_the_gateway_offers_is_asked_of_it_by_aider() -> None:
    endpoint = Endpoint(URL, "sk-gateway", ("claude-sonnet", "gpt-mini"))
    environ = {"AIDER_MODEL": "claude-sonnet", "AIDER_WEAK_MODEL": "deepseek/chat"}

    found = values(of("aider", environ, endpoint=endpoint))

    assert found["AIDER_MODEL"] == "openai/claude-sonnet"
    assert "AIDER_WEAK_MODEL" not in found


def test_codex_is_led_by_its_command_line_which_holds_no_key() -> None:
    words = PROGRAMS["codex"].arguments(ENDPOINT, "gpt-5")

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
        ("opencode/big-pickle", "llmgw/gpt-mini"),
        ("openai/gpt-mini", None),
        ("llmgw/gpt-mini", None),
    ],
)
def test_a_model_of_another_provider_in_opencodes_file_is_asked_of_the_gateway(
    tmp_path: Path, held: str, chosen: str | None
) -> None:
    (tmp_path / "opencode").mkdir()
    (tmp_path / "opencode" / "opencode.json").write_text(json.dumps({"model": held}))
    listed = Endpoint(URL, "sk-gateway", ("gpt-mini", "claude-sonnet"))

    found = of("opencode", {"XDG_CONFIG_HOME": str(tmp_path)}, endpoint=listed)

    assert json.loads(values(found)[CONTENT] or "").get("model") == chosen
    assert bool(sentences(found)) == bool(chosen)


def test_aider_is_led_on_its_line_past_the_env_files_that_it_reads() -> None:
    words = PROGRAMS["aider"].arguments(ENDPOINT, "")

    assert words == ["--openai-api-base", f"{URL}/v1", "--set-env", f"OPENAI_BASE_URL={URL}/v1"]


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
