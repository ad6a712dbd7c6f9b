"""What `run` and `env` change for a program: what leads, what beats that, what is reported."""

from __future__ import annotations

import pytest
from asked_changes import LEFTOVERS, URL, of, sentences, values

from llmgwctl.gateway.changes import Wish, applied
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.gateway.programs.table import ALL, PROGRAMS, of_command
from llmgwctl.gateway.taken_away import taken_away


def test_claude_gets_no_v1_and_openai_does() -> None:
    assert values(of("claude", {})) == {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": "sk-gateway",
    }
    assert values(of("openai", {}))["OPENAI_BASE_URL"] == f"{URL}/v1"


def test_a_clean_shell_is_changed_without_a_word() -> None:
    assert sentences(of(ALL, {})) == []


def test_the_leftovers_of_a_first_user_are_settled_each_with_its_sentence() -> None:
    found = of("claude", LEFTOVERS)

    environ = applied(LEFTOVERS, found)
    assert environ == {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": "sk-gateway",
        "ANTHROPIC_CUSTOM_HEADERS": "x-team: blue",
        "HTTPS_PROXY": "http://proxy.corp:3128",
        "LITELLM_MASTER_KEY": "sk-master",
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "no_proxy": "localhost,127.0.0.1,::1",
    }
    assert sentences(found) == [
        "x-litellm-api-key is taken out of ANTHROPIC_CUSTOM_HEADERS: the gateway would take that "
        "key instead",
        "ANTHROPIC_API_KEY is taken away: Claude Code may send it in place of the gateway's key",
        "no_proxy now names this machine: requests to it go to no proxy",
        "NO_PROXY now names this machine: requests to it go to no proxy",
    ]


def test_no_sentence_and_no_picture_of_a_change_holds_a_key() -> None:
    environ = LEFTOVERS | {
        "ANTHROPIC_AUTH_TOKEN": "sk-old",
        "ANTHROPIC_BASE_URL": "https://me:sk-password@api.example/",
    }

    found = of("claude", environ)

    assert "https://…@api.example/" in repr(found)
    assert "sk-" not in repr(found)


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_UNIX_SOCKET",
        "ANTHROPIC_BEDROCK_BASE_URL",
        "ANTHROPIC_IDENTITY_TOKEN_FILE",
        "ANTHROPIC_PROFILE",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CODE_USE_FOUNDRY",
        "CLAUDE_CODE_USE_MANTLE",
        "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    ],
)
def test_what_names_another_place_login_or_provider_is_taken_from_claude(name: str) -> None:
    assert values(of("claude", {name: "1"}))[name] is None
    assert name not in values(of("openai", {name: "1"}))


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_BEARER_TOKEN_BEDROCK",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "KUBECONFIG",
        "GITHUB_TOKEN",
        "OPENAI_API_KEY",
        "LITELLM_MASTER_KEY",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
        "CLAUDE_CODE_USE_NATIVE_FILE_SEARCH",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "ANTHROPIC_BETAS",
    ],
)
def test_what_is_anothers_or_no_rival_stays_with_claude(name: str) -> None:
    assert name not in values(of("claude", {name: "x"}))


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("openai", "OPENAI_API_TYPE"),
        ("openai", "OPENAI_ORG_ID"),
        ("openai", "OPENAI_ORGANIZATION"),
        ("codex", "CODEX_API_KEY"),
        ("codex", "OPENAI_IDENTITY_TOKEN_FILE"),
        ("opencode", "OPENCODE_AUTH_CONTENT"),
        ("aider", "AIDER_ANTHROPIC_API_KEY"),
        ("aider", "AIDER_API_KEY"),
        ("aider", "AIDER_SET_ENV"),
        ("aider", "GEMINI_API_KEY"),
        ("gemini", "GOOGLE_API_KEY"),
        ("gemini", "GOOGLE_GENAI_USE_VERTEXAI"),
        ("gemini", "GEMINI_CLI_CUSTOM_HEADERS"),
        ("gemini", "CODE_ASSIST_ENDPOINT"),
    ],
)
def test_what_beats_a_programs_variables_is_taken_from_it(program: str, name: str) -> None:
    assert values(of(program, {name: "x"}))[name] is None


def test_a_switch_that_says_no_beats_nothing() -> None:
    environ = {"CLAUDE_CODE_USE_BEDROCK": "0", "CLAUDE_CODE_USE_VERTEX": "false"}

    assert sentences(of("claude", environ)) == []


def test_an_empty_variable_beats_nothing() -> None:
    assert sentences(of("claude", {"CLAUDE_CODE_USE_BEDROCK": "", "ANTHROPIC_API_KEY": ""})) == []


def test_a_key_of_the_persons_own_is_replaced_and_that_is_said() -> None:
    found = of("openai", {"OPENAI_API_KEY": "sk-mine"})

    assert values(found)["OPENAI_API_KEY"] == "sk-gateway"
    assert sentences(found) == [
        "OPENAI_API_KEY held another key, and is the gateway's (--keep-key keeps yours)"
    ]


@pytest.mark.parametrize(
    "environ",
    [
        {"ANTHROPIC_AUTH_TOKEN": "sk-mine"},
        {"ANTHROPIC_API_KEY": "sk-mine"},
        {"ANTHROPIC_CUSTOM_HEADERS": "x-litellm-api-key: sk-mine"},
    ],
)
def test_a_key_that_is_to_be_kept_stays_however_it_travels(environ: dict[str, str]) -> None:
    found = of("claude", environ, Wish(keeps_key=True))

    assert values(found) == {"ANTHROPIC_BASE_URL": URL}


def test_where_no_key_is_set_there_is_none_to_keep() -> None:
    found = of("claude", {}, Wish(keeps_key=True))

    assert values(found)["ANTHROPIC_AUTH_TOKEN"] == "sk-gateway"


def test_without_a_key_only_addresses_are_set() -> None:
    found = of(ALL, {}, endpoint=Endpoint(URL))

    assert list(values(found)) == ["ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE"]


def test_custom_headers_leave_authorization_to_the_login() -> None:
    environ = {"ANTHROPIC_CUSTOM_HEADERS": "x-team: blue", "CLAUDE_CODE_OAUTH_TOKEN": "o"}

    found = of("claude", environ, Wish(custom_headers=True))

    assert values(found) == {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_CUSTOM_HEADERS": "x-team: blue\nx-litellm-api-key: Bearer sk-gateway",
    }


@pytest.mark.parametrize("was", [f"{URL}/", "http://127.0.0.1:4000", "http://[::1]:4000"])
def test_an_address_of_this_machine_by_another_name_is_no_news(was: str) -> None:
    assert sentences(of("claude", {"ANTHROPIC_BASE_URL": was})) == []


def test_an_address_that_was_elsewhere_is_named() -> None:
    found = of("claude", {"ANTHROPIC_BASE_URL": "https://api.anthropic.com"})

    assert sentences(found) == [f"ANTHROPIC_BASE_URL is {URL}, and was https://api.anthropic.com"]


def test_a_model_is_reported_with_its_source() -> None:
    endpoint = Endpoint(URL, "sk-gateway", ("claude-sonnet", "gpt-mini"))
    environ = {"ANTHROPIC_MODEL": "claude-of-another", "AIDER_MODEL": "x"}

    chosen_for = sentences(of("claude", environ, endpoint=endpoint))
    asked_for = sentences(of("aider", environ, Wish(model="gpt-mini"), endpoint))

    assert chosen_for == [
        "ANTHROPIC_DEFAULT_SONNET_MODEL is claude-sonnet, from the gateway's list",
        "ANTHROPIC_MODEL is claude-sonnet, from the gateway's list, and was claude-of-another, "
        "which it does not offer",
    ]
    assert asked_for == ["AIDER_MODEL is openai/gpt-mini, as --model says, and was x"]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("claude", "claude"),
        ("/opt/bin/codex", "codex"),
        ("opencode", "opencode"),
        ("aider", "aider"),
        ("gemini", "gemini"),
        ("nvim", "avante"),
        ("litellm-proxy", "litellm"),
        ("python3", ALL),
    ],
)
def test_the_command_says_which_program_it_is(command: str, name: str) -> None:
    assert of_command(command) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "aider",
            {
                "OPENAI_BASE_URL": f"{URL}/v1",
                "OPENAI_API_BASE": f"{URL}/v1",
                "AIDER_OPENAI_API_BASE": f"{URL}/v1",
                "OPENAI_API_KEY": "sk-gateway",
                "AIDER_OPENAI_API_KEY": "sk-gateway",
            },
        ),
        ("gemini", {"GOOGLE_GEMINI_BASE_URL": URL, "GEMINI_API_KEY": "sk-gateway"}),
        (
            "litellm",
            {
                "LITELLM_PROXY_URL": URL,
                "LITELLM_PROXY_API_BASE": URL,
                "LITELLM_PROXY_API_KEY": "sk-gateway",
                "LITELLM_MASTER_KEY": "sk-gateway",
            },
        ),
    ],
)
def test_the_others_get_their_own_variables(name: str, expected: dict[str, str]) -> None:
    assert values(of(name, {})) == expected


def test_unset_takes_away_what_leads_to_this_machine_and_nothing_else() -> None:
    environ = {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": "sk-gateway",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "claude-opus-4-1",
        "OPENAI_BASE_URL": "https://api.openai.com/v1",
        "OPENAI_API_KEY": "sk-mine",
        "GEMINI_API_KEY": "mine",
    }

    found = taken_away(tuple(PROGRAMS.values()), environ)

    assert [each.name for each in found] == [
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_DEFAULT_OPUS_MODEL",
        "ANTHROPIC_AUTH_TOKEN",
    ]
