"""Claude Code's settings files: which apply, which of them wins, and what they do against us.

Each may hold `env`, which Claude Code sets whatever the shell says, `apiKeyHelper`, whose key it
sends beside the one of the environment, and `model`, which counts where no variable names one.
Its own state file holds an `env` too, which beats the shell and gives way to the settings.
Only this module reads them.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from llmgwctl.gateway import claude_models, proxies
from llmgwctl.gateway.address import leads_to
from llmgwctl.gateway.programs import claude
from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmgwctl.gateway.programs.program import Endpoint

_MANAGED = {
    "darwin": "/Library/Application Support/ClaudeCode/managed-settings",
    "linux": "/etc/claude-code/managed-settings",
}
HELPER = "apiKeyHelper"
# Of years of projects; it holds their latest prompts.
_MOST_STATE_BYTES = 64 << 20


class SettingsFile(NamedTuple):
    """`fault` says why Claude Code takes nothing from it."""

    path: str
    env: Mapping[str, str]
    helper: str = ""
    is_managed: bool = False
    model: str = ""
    fault: str = ""

    def __repr__(self) -> str:
        return f"SettingsFile({self.path!r})"


class Effective(NamedTuple):
    """What Claude Code runs with: the shell's variables with the files' over them.

    `origins` names the file that set a variable; `helper_file` the one whose helper is used.
    """

    environ: Mapping[str, str]
    origins: Mapping[str, SettingsFile]
    helper: str = ""
    helper_file: SettingsFile | None = None

    def __repr__(self) -> str:
        return f"Effective({list(self.origins)})"


def places(environ: Mapping[str, str], folder: str) -> list[str]:
    """List the files of the person in order, the one that wins last: user, project, local."""
    user = _user_folder(environ)
    project = os.path.join(folder, ".claude")
    return [
        os.path.join(user, "settings.json"),
        os.path.join(project, "settings.json"),
        os.path.join(project, "settings.local.json"),
    ]


def _user_folder(environ: Mapping[str, str]) -> str:
    return environ.get("CLAUDE_CONFIG_DIR") or os.path.join(environ.get("HOME") or "~", ".claude")


def state_place(environ: Mapping[str, str]) -> str:
    """Give the file in which Claude Code (2.1) keeps its state, by the older name if it is there.

    CLAUDE_CONFIG_DIR moves it as well.
    """
    older = os.path.join(_user_folder(environ), ".config.json")
    if os.path.exists(older):
        return older
    home = environ.get("CLAUDE_CONFIG_DIR") or environ.get("HOME") or "~"
    return os.path.join(home, ".claude.json")


def managed_places(base: str = _MANAGED.get(sys.platform, _MANAGED["linux"])) -> list[str]:
    """List the files of the machine's owner, which win over all others: one, then a folder's."""
    try:
        parts = sorted(name for name in os.listdir(f"{base}.d") if name.endswith(".json"))
    except OSError:
        parts = []
    return [f"{base}.json", *(os.path.join(f"{base}.d", name) for name in parts)]


def read(environ: Mapping[str, str], folder: str) -> list[SettingsFile]:
    """Read the files that are there, in order: the one that wins last."""
    state = _of_state(state_place(environ))
    found = [_read(path) for path in dict.fromkeys(places(environ, folder))]
    managed = (_read(path) for path in managed_places())
    found += [each._replace(is_managed=True) for each in managed if each is not None]
    return [each for each in (state, *found) if each is not None]


def state_env(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Give the variables that Claude Code's state file sets over the shell's."""
    state = _of_state(state_place(environ))
    return state.env if state is not None else {}


def _of_state(path: str) -> SettingsFile | None:
    """Take the variables alone: what else stands there is no setting."""
    try:
        text = regular_file.read_text(path, _MOST_STATE_BYTES).removeprefix("\ufeff")
    except OSError:
        return None
    # It is large, and new shells wait for this; hardly any holds variables.
    if '"env"' not in text:
        return None
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return SettingsFile(path, _variables(held)) if isinstance(held, dict) else None


def _read(path: str) -> SettingsFile | None:
    """Read one file; None where there is none, or none that can be read."""
    try:
        held = json.loads(regular_file.read_text(path).removeprefix("\ufeff"))
    except OSError:
        return None
    except json.JSONDecodeError as error:
        return SettingsFile(path, {}, fault=f"line {error.lineno} is no JSON")
    except (ValueError, RecursionError):
        return SettingsFile(path, {}, fault="it is no JSON that can be read")
    if not isinstance(held, dict):
        return SettingsFile(path, {}, fault="it holds no object")
    helper, model = (str(held.get(name) or "") for name in (HELPER, "model"))
    return SettingsFile(path, _variables(held), helper, model=model)


def _variables(held: Mapping[str, Any]) -> dict[str, str]:
    env = held.get("env")
    return {name: str(value) for name, value in env.items()} if isinstance(env, dict) else {}


def effective(environ: Mapping[str, str], files: Sequence[SettingsFile]) -> Effective:
    merged, origins = dict(environ), {}
    helper: SettingsFile | None = None
    for file in files:
        merged.update(file.env)
        origins.update(dict.fromkeys(file.env, file))
        helper = file if file.helper else helper
    merged = with_model(merged, files)
    return Effective(merged, origins, helper.helper if helper else "", helper)


def with_model(environ: Mapping[str, str], files: Sequence[SettingsFile]) -> dict[str, str]:
    """Give the variables with the main model that Claude Code takes from a file without one."""
    named = [file.model for file in files if file.model]
    if not named or environ.get(claude_models.MAIN):
        return dict(environ)
    return {**environ, claude_models.MAIN: named[-1]}


def is_ours(helper: str) -> bool:
    """Say whether a helper is `llmgwctl key`, however it is spelled."""
    try:
        words = shlex.split(helper)
    except ValueError:
        return False
    return len(words) > 1 and os.path.basename(words[0]) == "llmgwctl" and "key" in words[1:]


def rivals(
    files: Sequence[SettingsFile], endpoint: Endpoint, environ: Mapping[str, str], model: str = ""
) -> list[tuple[str, SettingsFile]]:
    """Name what the files set against the endpoint and the model asked for, with the file that
    wins.
    """
    held = effective(environ, files)
    models = claude_models.defaults(endpoint.models or (), held.environ, model)
    found = [(name, file) for name, file in held.origins.items() if held.environ[name]]
    beaten = [
        (name, file)
        for name, file in found
        if models.get(name, held.environ[name]) != held.environ[name]
        or _beats(name, held.environ, endpoint)
    ]
    if held.helper_file is not None and not is_ours(held.helper):
        beaten.append((HELPER, held.helper_file))
    return beaten


def _beats(name: str, environ: Mapping[str, str], endpoint: Endpoint) -> bool:
    value = environ[name]
    for lead in claude.PROGRAM.leads:
        if lead.name == name and lead.is_key:
            return endpoint.key is not None and value != endpoint.key
        if lead.name == name:
            return not leads_to(value, lead.value(endpoint))
    if name == claude.HEADERS:
        return bool(claude.key_headers_in(value))
    if name in (*claude.PROGRAM.proxies, *proxies.EXEMPTING):
        return proxies.proxy_for(endpoint.url, environ, claude.PROGRAM.proxies) is not None
    rival = claude.PROGRAM.rival_of(name)
    return rival is not None and rival.acts(value)


def is_of_key(name: str) -> bool:
    """Say whether what a file sets by that name is about which key is sent."""
    if name in (HELPER, claude.HEADERS):
        return True
    rival = claude.PROGRAM.rival_of(name)
    leads = any(lead.name == name and lead.is_key for lead in claude.PROGRAM.leads)
    return leads or (rival is not None and rival.is_key)


def overriding(
    found: Sequence[tuple[str, SettingsFile]],
    environ: Mapping[str, str],
    endpoint: Endpoint,
    helper: str,
    model: str = "",
) -> dict[str, Any]:
    """Give the settings for `claude --settings`, which beat all files but the managed ones.

    They go on a command line, so no key is in them: `helper` prints it. `environ` is what the
    files and the shell make together.
    """
    env = {}
    models = claude_models.defaults(endpoint.models or (), environ, model)
    for name, _ in found:
        if name in (*claude.PROGRAM.proxies, *proxies.EXEMPTING):
            env.update(proxies.exemptions(endpoint.url, environ))
        elif name == claude.HEADERS:
            env[name] = "\n".join(claude.other_headers(environ.get(name, "")))
        elif name != HELPER:
            env[name] = models.get(name, "")
    for lead in claude.PROGRAM.leads:
        if lead.name in env and not lead.is_key:
            env[lead.name] = lead.value(endpoint)
    return {HELPER: helper, "env": env} if endpoint.key is not None else {"env": env}
