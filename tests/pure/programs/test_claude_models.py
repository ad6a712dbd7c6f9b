"""Which of a gateway's models Claude Code is led to."""

from __future__ import annotations

import pytest

from llmgwctl.gateway.claude_models import asked_for, by_family, defaults
from llmgwctl.rules.models import is_offered

OPUS, SONNET = "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL"
HAIKU, MAIN = "ANTHROPIC_DEFAULT_HAIKU_MODEL", "ANTHROPIC_MODEL"
FAST, SUBAGENTS = "ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL"


def test_each_family_gets_its_newest() -> None:
    offered = [
        "claude-3-5-sonnet-20241022",
        "claude-sonnet-4-20250514",
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "anthropic/claude-opus-4-1",
        "claude-3-opus-20240229",
        "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "gpt-5",
    ]

    assert defaults(offered, {}) == {
        OPUS: "anthropic/claude-opus-4-1",
        SONNET: "claude-sonnet-4-5",
        HAIKU: "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
    }


def test_a_gateway_without_claudes_own_default_gets_a_main_model() -> None:
    assert defaults(["claude-haiku", "claude-sonnet", "gpt-mini"], {}) == {
        SONNET: "claude-sonnet",
        HAIKU: "claude-haiku",
        MAIN: "claude-sonnet",
    }


@pytest.mark.parametrize(
    "offered", [[], ["gpt-5", "mistral"], ["*"], ["claude-*"], ["opus-mt-en-de"]]
)
def test_nothing_is_guessed_where_no_claude_is_named_or_every_name_is_taken(
    offered: list[str],
) -> None:
    assert defaults(offered, {}) == {}


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [
        ({MAIN: "claude-haiku"}, {SONNET: "claude-sonnet", HAIKU: "claude-haiku"}),
        ({MAIN: "sonnet[1m]"}, {SONNET: "claude-sonnet", HAIKU: "claude-haiku"}),
        ({SONNET: "claude-sonnet", MAIN: "gpt-mini"}, {HAIKU: "claude-haiku"}),
        (
            {MAIN: "claude-of-another-gateway"},
            {SONNET: "claude-sonnet", HAIKU: "claude-haiku", MAIN: "claude-sonnet"},
        ),
    ],
)
def test_what_the_shell_names_stays_where_the_gateway_offers_it(
    environ: dict[str, str], chosen: dict[str, str]
) -> None:
    assert defaults(["claude-haiku", "claude-sonnet", "gpt-mini"], environ) == chosen


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [
        ({MAIN: "claude-3-haiku-20240307"}, {MAIN: "claude-haiku"}),
        ({MAIN: "claude-instant"}, {MAIN: "claude-opus"}),
        ({MAIN: "opus[1m]"}, {}),
        ({MAIN: "opusplan"}, {}),
        ({MAIN: "fable"}, {MAIN: "claude-opus"}),
        ({FAST: "claude-3-5-haiku-latest"}, {FAST: "claude-haiku"}),
        ({FAST: "gpt-3.5-turbo"}, {FAST: ""}),
        ({SUBAGENTS: "claude-haiku"}, {}),
        ({SUBAGENTS: "haiku"}, {}),
        ({SUBAGENTS: "inherit"}, {}),
        ({SUBAGENTS: "us.anthropic.claude-sonnet-4-v1:0"}, {SUBAGENTS: "claude-sonnet"}),
    ],
)
def test_a_name_that_the_gateway_lacks_gives_way_to_its_familys_newest(
    environ: dict[str, str], chosen: dict[str, str]
) -> None:
    offered = ["claude-opus", "claude-sonnet", "claude-haiku"]
    families = {OPUS: "claude-opus", SONNET: "claude-sonnet", HAIKU: "claude-haiku"}

    assert defaults(offered, environ) == families | chosen


def test_the_model_of_the_command_line_is_the_main_one() -> None:
    assert defaults(["claude-opus", "gpt-5"], {}, "gpt-5") == {OPUS: "claude-opus", MAIN: "gpt-5"}


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("gpt-5", True),
        ("gpt-5[1m]", True),
        ("anthropic/claude-opus-4-1", True),
        ("claude-opus-4-1", False),
        ("gpt-50", False),
    ],
)
def test_wildcards_and_the_suffix_are_understood(name: str, is_there: bool) -> None:
    assert is_offered(name, ["gpt-5", "anthropic/*"]) is is_there


def test_brackets_of_a_name_are_no_pattern() -> None:
    assert is_offered("x[ab]/m", ["x[ab]/*"])
    assert not is_offered("xa/m", ["x[ab]/*"])


def test_an_alias_is_asked_for_by_the_name_it_stands_for() -> None:
    environ = {
        MAIN: "opusplan",
        OPUS: "our-opus",
        SONNET: "our-sonnet[1m]",
        "CLAUDE_CODE_SUBAGENT_MODEL": "inherit",
        "ANTHROPIC_SMALL_FAST_MODEL": "our-haiku",
    }

    assert asked_for(environ) == ["our-opus", "our-sonnet", "our-haiku"]
    assert asked_for({MAIN: "sonnet"}) == []


def test_a_long_context_entry_is_not_chosen_for_its_suffix() -> None:
    assert by_family(["claude-sonnet-4-5[1m]", "claude-sonnet-4"]) == {"sonnet": "claude-sonnet-4"}
