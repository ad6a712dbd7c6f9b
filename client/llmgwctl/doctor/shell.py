"""Checks of the shell the doctor was called from: where its variables lead. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.gateway.variables import AUDIENCES, differences, overrules, variables
from llmgwctl.wire import CheckState, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIXES = ("ANTHROPIC_", "OPENAI_", "AVANTE_")


# Which of the gateway's models Claude Code asks for; the haiku one in the background.
_MODEL_NAMES = (
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
)
# Words of Claude Code's own for whatever model the others name.
_ALIASES = ("default", "sonnet", "opus", "haiku", "opusplan")


def models_named(environ: Mapping[str, str]) -> list[str]:
    """List the models that programs of this shell will ask the gateway for."""
    named = [environ.get(name, "") for name in _MODEL_NAMES]
    return [name for name in named if name and name not in _ALIASES]


def check_shell(
    environ: Mapping[str, str],
    url: str,
    key: str | None,
    settings: Mapping[str, object] | None,
) -> list[CheckStatus]:
    """Compare with what `llmgwctl env` would set: one line for the variables, one each overrule.

    Without a key only the addresses are compared. No value of a secret is ever in the lines.
    """
    found = [
        _line(CheckState.WARNING, overrule.sentence, "", overrule.remedy)
        for overrule in overrules(environ, url, AUDIENCES, settings)
    ]
    return [_variables(environ, url, key), *found]


def _variables(environ: Mapping[str, str], url: str, key: str | None) -> CheckStatus:
    wanted = variables(url, key, AUDIENCES)
    wrong = differences(environ, wanted)
    if wrong:
        cause = "programs started from this shell go elsewhere, or with another key"
        return _line(CheckState.WARNING, "; ".join(wrong), cause, _remedy(environ))
    right = [variable.name for variable in wanted if variable.name in environ]
    if right:
        return _line(CheckState.OK, f"{', '.join(right)} lead to {url}")
    if any(name.startswith(_PREFIXES) for name in environ):
        what = "variables are set, none of them leads to the gateway"
    else:
        what = "no variable leads to the gateway"
    return _line(CheckState.INFO, what, "", _remedy(environ))


def _remedy(environ: Mapping[str, str]) -> str:
    if environ.get("SHELL", "").endswith("fish"):
        return "llmgwctl env | source"
    if environ.get("SHELL", "").endswith("/nu"):
        return "llmgwctl env --shell json | from json | load-env"
    return 'eval "$(llmgwctl env)"'


def _line(state: CheckState, found: str, cause: str = "", remedy: str = "") -> CheckStatus:
    return CheckStatus(
        check="shell",
        forward=None,
        state=state,
        found=found,
        cause=cause,
        remedy=remedy,
        skipped_by=None,
        took_s=None,
    )
