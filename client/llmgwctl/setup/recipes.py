"""What each program's file needs to lead to a forward: where it is, its format, its values. Pure.

No value is a key: a program takes it from a command, or from the variable that `env` sets.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from llmgwctl.gateway import claude_models, claude_settings, proxies
from llmgwctl.gateway.programs import aider, avante, claude, codex, gemini, opencode
from llmgwctl.gateway.programs.program import rivals_in
from llmgwctl.setup.document import MISSING, Edit

if TYPE_CHECKING:
    from llmgwctl.gateway.programs.program import Endpoint

JSON, TOML, YAML, DOTENV = "json", "toml", "yaml", "dotenv"
# Without comments: Claude Code (2.1) ignores a whole file that has one.
PLAIN_JSON = "plain json"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: where to lead, what the shell has, what the file has now.

    `key_command` prints the key, `status_command`, where it is wanted, a line with the state.
    `placeholder` stands for it where the daemon puts the key into
    requests by itself, and is no secret.
    """

    endpoint: Endpoint
    environ: Mapping[str, str] = field(repr=False)
    held: Mapping[str, Any] = field(repr=False)
    key_command: tuple[str, ...] = ("llmgwctl", "key")
    model: str = ""
    status_command: tuple[str, ...] = ()
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """`place` gives the file from the environment; `note` what the person must still do where the
    key itself is needed.
    """

    name: str
    place: Callable[[Mapping[str, str]], str]
    format: str
    edits: Callable[[Request], list[Edit]]
    note: str = ""


def _home(environ: Mapping[str, str], *parts: str) -> str:
    return str(FilePath(environ.get("HOME") or "~", *parts).expanduser())


def _claude_place(environ: Mapping[str, str]) -> str:
    folder = environ.get("CLAUDE_CONFIG_DIR") or _home(environ, ".claude")
    return str(FilePath(folder, "settings.json"))


def _claude_edits(request: Request) -> list[Edit]:
    """Lead by `env`, which beats the shell, and empty there what the shell or the file has."""
    env = request.held.get("env")
    held = {name: str(value) for name, value in env.items()} if isinstance(env, dict) else {}
    merged = {**request.environ, **held}
    if request.held.get("model"):
        merged.setdefault(claude_models.MAIN, str(request.held["model"]))
    # Another shell than this one may hold a key; empty, it is passed over for the helper's.
    wanted = {"ANTHROPIC_API_KEY": ""}
    for name, _ in rivals_in(claude.PROGRAM, merged):
        wanted[name] = ""
    headers = merged.get(claude.HEADERS, "")
    if claude.key_headers_in(headers):
        wanted[claude.HEADERS] = "\n".join(claude.other_headers(headers))
    for lead in claude.PROGRAM.leads:
        if not lead.is_key:
            wanted[lead.name] = lead.value(request.endpoint)
        else:
            wanted[lead.name] = request.placeholder
    wanted |= proxies.exemptions(request.endpoint.url, merged)
    wanted |= claude_models.defaults(request.endpoint.models or (), merged, request.model)
    edits = [Edit(("env", name), value) for name, value in wanted.items()]
    helper = MISSING if request.placeholder else shlex.join(request.key_command)
    edits.append(Edit((claude_settings.HELPER,), helper))
    if request.status_command:
        # Of a command that fails, as this one does while the forward is down, it shows nothing.
        command = f"{shlex.join(request.status_command)} 2>&1 || true"
        edits.append(Edit(("statusLine",), {"type": "command", "command": command}))
    return edits


def _codex_place(environ: Mapping[str, str]) -> str:
    folder = environ.get("CODEX_HOME") or _home(environ, ".codex")
    return str(FilePath(folder, "config.toml"))


# By each of these a provider can hold another key, or another place to take it from.
_CODEX_KEYS = (
    "env_key",
    "experimental_bearer_token",
    "http_headers",
    "env_http_headers",
    "requires_openai_auth",
)


def _codex_edits(request: Request) -> list[Edit]:
    provider = ("model_providers", codex.PROVIDER)
    program, *words = request.key_command
    edits = [
        Edit(("model_provider",), codex.PROVIDER),
        Edit((*provider, "name"), codex.PROVIDER),
        Edit((*provider, "base_url"), f"{request.endpoint.url}/v1"),
        Edit((*provider, "wire_api"), "responses"),
        *(Edit((*provider, name), MISSING) for name in _CODEX_KEYS),
        Edit((*provider, "auth", "command"), program),
        Edit((*provider, "auth", "args"), words),
    ]
    named = str(request.held.get("model") or "")
    model = request.model or codex.model_instead(named, request.endpoint.models or ())
    return [*edits, Edit(("model",), model)] if model else edits


def _opencode_place(environ: Mapping[str, str]) -> str:
    if environ.get("OPENCODE_CONFIG"):
        return environ["OPENCODE_CONFIG"]
    base = environ.get("XDG_CONFIG_HOME") or _home(environ, ".config")
    folder = FilePath(base, "opencode")
    with_comments = folder / "opencode.jsonc"
    return str(with_comments if with_comments.exists() else folder / "opencode.json")


def _opencode_edits(request: Request) -> list[Edit]:
    models = [*(request.endpoint.models or ()), *([request.model] if request.model else [])]
    edits = []
    for name, provider in opencode.providers(request.endpoint.url, models).items():
        for key, value in provider.items():
            if isinstance(value, dict):
                edits += [Edit(("provider", name, key, inner), v) for inner, v in value.items()]
            else:
                edits.append(Edit(("provider", name, key), value))
        if request.placeholder:
            edits.append(Edit(("provider", name, "options", "apiKey"), request.placeholder))
    changed, _ = opencode.over(request.held, models, request.model)
    edits += _leaves(changed)
    # Where only some providers are switched on, ours must be one of them.
    on = request.held.get("enabled_providers")
    if isinstance(on, list) and opencode.PROVIDER not in on:
        edits.append(Edit(("enabled_providers",), [*on, opencode.PROVIDER]))
    return edits


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[Edit]:
    """Give an edit for each value that holds no others."""
    edits = []
    for name, value in values.items():
        here = (*path, name)
        edits += _leaves(value, here) if isinstance(value, Mapping) else [Edit(here, value)]
    return edits


def _aider_edits(request: Request) -> list[Edit]:
    edits = [Edit(("openai-api-base",), f"{request.endpoint.url}/v1")]
    if request.placeholder:
        edits.append(Edit(("openai-api-key",), request.placeholder))
    offered = request.endpoint.models
    main = aider.led_model(request.model or str(request.held.get("model") or ""), offered)
    main = main or aider.default(offered)
    for role in aider.ROLES:
        held = str(request.held.get(role) or "")
        led = main if role == "model" else aider.led_model(held, offered) or main
        if held or (role == "model" and (request.model or offered)):
            edits.append(Edit((role,), led))
    return edits


def _gemini_login(_request: Request) -> list[Edit]:
    """Else it takes the address for a login of a kind that it then refuses (0.61)."""
    return [Edit(("security", "auth", "selectedType"), gemini.LOGIN)]


def _gemini_edits(request: Request) -> list[Edit]:
    edits = [Edit(("GOOGLE_GEMINI_BASE_URL",), request.endpoint.url)]
    if request.placeholder:
        edits.append(Edit(("GEMINI_API_KEY",), request.placeholder))
    return [*edits, Edit(("GEMINI_MODEL",), request.model)] if request.model else edits


_FROM_SHELL = 'it takes the key from {name}: eval "$(llmgwctl env --for {program})"'

_ALL = (
    Recipe("claude", _claude_place, PLAIN_JSON, _claude_edits),
    Recipe("codex", _codex_place, TOML, _codex_edits),
    Recipe(
        "opencode",
        _opencode_place,
        JSON,
        _opencode_edits,
        _FROM_SHELL.format(name="OPENAI_API_KEY", program="opencode"),
    ),
    Recipe(
        "aider",
        lambda environ: _home(environ, ".aider.conf.yml"),
        YAML,
        _aider_edits,
        _FROM_SHELL.format(name="OPENAI_API_KEY", program="aider"),
    ),
    Recipe(
        "gemini",
        lambda environ: str(FilePath(gemini.folder(environ), "settings.json")),
        JSON,
        _gemini_login,
    ),
    Recipe(
        "gemini",
        lambda environ: str(FilePath(gemini.folder(environ), ".env")),
        DOTENV,
        _gemini_edits,
        _FROM_SHELL.format(name="GEMINI_API_KEY", program="gemini"),
    ),
)
# By program; one that reads two files has a recipe for each.
RECIPES: dict[str, tuple[Recipe, ...]] = {
    name: tuple(each for each in _ALL if each.name == name)
    for name in dict.fromkeys(each.name for each in _ALL)
}
AVANTE = avante.PROGRAM.name
PROGRAMS = (*RECIPES, AVANTE)
