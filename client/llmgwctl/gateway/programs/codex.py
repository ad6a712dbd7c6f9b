"""Codex reads no OPENAI_BASE_URL: a provider of its configuration leads it, or `-c` on its line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llmgwctl.gateway.programs.command_line import option
from llmgwctl.gateway.programs.program import (
    USUAL_PROXIES,
    Lead,
    Line,
    Program,
    Start,
    rival,
)
from llmgwctl.rules import regular_file
from llmgwctl.rules.models import is_offered, preferred

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROVIDER = "llmgw"
# Not the one of `setup`: what the command line names is merged with what the file has of that name,
# headers with an old key too.
_FOR_ONE_RUN = "llmgw-run"


def _config_path(environ: Mapping[str, str]) -> str:
    folder = environ.get("CODEX_HOME") or os.path.join(environ.get("HOME") or "~", ".codex")
    return os.path.join(folder, "config.toml")


def config(environ: Mapping[str, str]) -> Mapping[str, object] | None:
    """Read its configuration; None where there is none that can be read."""
    # Here, because it takes 5 ms, and most starts need it not.
    import tomllib

    try:
        return tomllib.loads(regular_file.read_text(_config_path(environ)))
    except (OSError, ValueError, RecursionError):
        return None


def is_named(url: str, environ: Mapping[str, str]) -> bool:
    """Say whether its configuration names the address, in whatever part."""
    try:
        return f'"{url}/v1"' in regular_file.read_text(_config_path(environ))
    except OSError:
        return False


def _line(start: Start) -> Line:
    provider = (
        f'{{name="{PROVIDER}",base_url="{start.endpoint.url}/v1",'
        'env_key="OPENAI_API_KEY",wire_api="responses"}'
    )
    words = ["-c", f'model_provider="{_FOR_ONE_RUN}"']
    words += ["-c", f"model_providers.{_FOR_ONE_RUN}={provider}"]
    model, sentence = start.model, ""
    if not model and not _names_model(start.words):
        model, sentence = _chosen(start)
    words += ["-c", f'model="{model}"'] if model else []
    return Line([*words, *start.words], [sentence] if sentence else [])


def _names_model(words: Sequence[str]) -> bool:
    return bool(option(words, "-m", "--model", "-p", "--profile")) or any(
        word == "--oss" or word.replace(" ", "").startswith("model=") for word in words
    )


def model_instead(named: str, offered: Sequence[str]) -> str:
    """Give a model of the gateway's where Codex would ask for another: its default is not known."""
    if not offered or is_offered(named or _ANY, offered):
        return ""
    return preferred(offered, _FAMILIES)


def _chosen(start: Start) -> tuple[str, str]:
    named = str((config(start.environ) or {}).get("model") or "")
    model = model_instead(named, start.endpoint.models or ())
    was = f", and was {named}, which it does not offer" if named else ""
    return model, f"Codex's model is {model}, from the gateway's list{was}" if model else ""


# No model's name: only a wildcard offers it, and then Codex's default, too.
_ANY = "gpt-0"
_FAMILIES = ("gpt", "sonnet", "opus", "gemini")


PROGRAM = Program(
    name="codex",
    title="Codex",
    commands=("codex",),
    leads=(Lead("OPENAI_API_KEY", "{key}"),),
    proxies=USUAL_PROXIES,
    rivals=(
        rival(
            r"CODEX_(API_KEY|ACCESS_TOKEN)",
            "Codex may send it in place of the gateway's key",
            is_key=True,
        ),
        rival(
            r"OPENAI_(IDENTITY_TOKEN\w*|FEDERATION_RULE_ID)",
            "Codex may log in with it elsewhere",
        ),
    ),
    line=_line,
)
