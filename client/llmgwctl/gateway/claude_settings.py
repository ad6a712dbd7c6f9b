"""Claude Code's settings files: which apply, which of them wins, and what they do against us.

Each may hold `env`, which Claude Code sets whatever the shell says, and `apiKeyHelper`, whose key
it sends beside the one of the environment. Only this module reads them.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from llmgwctl.gateway import proxies
from llmgwctl.gateway.address import leads_to
from llmgwctl.gateway.programs import claude
from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmgwctl.gateway.programs.program import Endpoint

_MANAGED = {
    "darwin": "/Library/Application Support/ClaudeCode/managed-settings.json",
    "linux": "/etc/claude-code/managed-settings.json",
}
HELPER = "apiKeyHelper"


class SettingsFile(NamedTuple):
    path: str
    env: Mapping[str, str]
    helper: str = ""
    is_managed: bool = False

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


def places(environ: Mapping[str, str], folder: str, platform: str = sys.platform) -> list[str]:
    """List the files in order, the one that wins last: user, project, local, managed."""
    home = environ.get("HOME") or "~"
    user = environ.get("CLAUDE_CONFIG_DIR") or os.path.join(home, ".claude")
    project = os.path.join(folder, ".claude")
    return [
        os.path.join(user, "settings.json"),
        os.path.join(project, "settings.json"),
        os.path.join(project, "settings.local.json"),
        _MANAGED.get(platform, _MANAGED["linux"]),
    ]


def read(environ: Mapping[str, str], folder: str) -> list[SettingsFile]:
    """Read the files that are there; what cannot be read does nothing against us."""
    *own, managed = places(environ, folder)
    found = [(_read(path), path) for path in dict.fromkeys(own)] + [(_read(managed), managed)]
    return [_settings(path, held, path == managed) for held, path in found if held is not None]


def _read(path: str) -> dict[str, Any] | None:
    try:
        held = json.loads(regular_file.read_text(path))
    except (OSError, ValueError, RecursionError):
        return None
    return held if isinstance(held, dict) else None


def _settings(path: str, held: Mapping[str, Any], is_managed: bool) -> SettingsFile:
    env = held.get("env")
    pairs = env.items() if isinstance(env, dict) else ()
    return SettingsFile(
        path, {name: str(value) for name, value in pairs}, str(held.get(HELPER) or ""), is_managed
    )


def effective(environ: Mapping[str, str], files: Sequence[SettingsFile]) -> Effective:
    merged, origins = dict(environ), {}
    helper: SettingsFile | None = None
    for file in files:
        merged.update(file.env)
        origins.update(dict.fromkeys(file.env, file))
        helper = file if file.helper else helper
    return Effective(merged, origins, helper.helper if helper else "", helper)


def is_ours(helper: str) -> bool:
    """Say whether a helper is `llmgwctl key`, however it is spelled."""
    try:
        words = shlex.split(helper)
    except ValueError:
        return False
    return len(words) > 1 and os.path.basename(words[0]) == "llmgwctl" and "key" in words[1:]


def rivals(files: Sequence[SettingsFile], endpoint: Endpoint) -> list[tuple[str, SettingsFile]]:
    """Name what the files set against the endpoint, with the file that wins."""
    held = effective({}, files)
    found = [(name, file) for name, file in held.origins.items() if held.environ[name]]
    beaten = [(name, file) for name, file in found if _beats(name, held.environ[name], endpoint)]
    if held.helper_file is not None and not is_ours(held.helper):
        beaten.append((HELPER, held.helper_file))
    return beaten


def _beats(name: str, value: str, endpoint: Endpoint) -> bool:
    for lead in claude.PROGRAM.leads:
        if lead.name == name:
            wanted = lead.value(endpoint)
            return value != wanted if lead.is_key else not leads_to(value, wanted)
    if name == claude.HEADERS:
        return bool(claude.key_headers_in(value))
    if name in claude.PROGRAM.proxies:
        return proxies.proxy_for(endpoint.url, {name: value}, claude.PROGRAM.proxies) is not None
    return claude.PROGRAM.rival_of(name) is not None


def overriding(
    found: Sequence[tuple[str, SettingsFile]],
    environ: Mapping[str, str],
    endpoint: Endpoint,
    helper: str,
) -> dict[str, Any]:
    """Give the settings for `claude --settings`, which beat all files but the managed ones.

    They go on a command line, so no key is in them: `helper` prints it. `environ` is what the
    files and the shell make together.
    """
    env = {}
    for name, _ in found:
        if name in claude.PROGRAM.proxies:
            env.update(proxies.exemptions(endpoint.url, environ))
        elif name == claude.HEADERS:
            env[name] = "\n".join(claude.other_headers(environ.get(name, "")))
        elif name != HELPER:
            env[name] = ""
    for lead in claude.PROGRAM.leads:
        if lead.name in env and not lead.is_key:
            env[lead.name] = lead.value(endpoint)
    return {HELPER: helper, "env": env} if endpoint.key is not None else {"env": env}
