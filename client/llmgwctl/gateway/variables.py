"""The variables that lead Claude Code, OpenAI SDKs and avante.nvim through a forward.

Pure: addresses and a key in, names and values out. Printing them is `shells`' business, and the
comparison with what a shell already has lives here as well, because both rest on one table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUDIENCES = ("claude", "openai", "avante")


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    value: str
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Overrule:
    """Something outside that beats a variable of ours, or is sent in its place."""

    name: str
    sentence: str
    remedy: str


def base_url(listen: Sequence[str]) -> str:
    """Give the URL of a forward, from the addresses it is bound to right now.

    `localhost` only where both its addresses are bound: programs try ::1 first, and one that
    finds it refused may not try the other.
    """
    hosts = [address.rpartition(":")[0] for address in listen]
    if not hosts:
        raise ValueError("no address")
    host, port = hosts[0], listen[0].rpartition(":")[2]
    if {"127.0.0.1", "[::1]"} <= set(hosts):
        host = "localhost"
    return f"http://{_WILDCARDS.get(host, host)}:{port}"


_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "*": "127.0.0.1"}  # noqa: S104 - compared


def variables(
    url: str, key: str | None, audiences: Sequence[str], *, custom_headers: bool = False
) -> list[Variable]:
    """List what to set; without a key only addresses.

    `custom_headers` gives Claude Code the key in a header of LiteLLM's own, which wins over any
    other there: Authorization stays what a login to Anthropic needs.
    """
    found: list[Variable] = []
    if "claude" in audiences:
        found.append(Variable("ANTHROPIC_BASE_URL", url))
        if key is not None and custom_headers:
            header = f"x-litellm-api-key: Bearer {key}"
            found.append(Variable("ANTHROPIC_CUSTOM_HEADERS", header, is_secret=True))
        elif key is not None:
            found.append(Variable("ANTHROPIC_AUTH_TOKEN", key, is_secret=True))
    if "openai" in audiences:
        found.append(Variable("OPENAI_BASE_URL", f"{url}/v1"))
        # Read by aider and by openai-python before 1.0.
        found.append(Variable("OPENAI_API_BASE", f"{url}/v1"))
        if key is not None:
            found.append(Variable("OPENAI_API_KEY", key, is_secret=True))
    if "avante" in audiences and key is not None:
        found.append(Variable("AVANTE_OPENAI_API_KEY", key, is_secret=True))
    return found


def notes(url: str, audiences: Sequence[str]) -> list[str]:
    """Say what no variable can: lines for a comment."""
    if "avante" not in audiences:
        return []
    return [
        "avante.nvim reads its address from lua only; in its setup:",
        f'  providers = {{ openai = {{ endpoint = "{url}/v1" }} }}',
    ]


def overrules(
    environ: Mapping[str, str],
    url: str,
    audiences: Sequence[str],
    settings: Mapping[str, object] | None = None,
) -> list[Overrule]:
    """Find what would lead a program elsewhere although our variables are set.

    `settings` is Claude Code's settings.json, whose `env` it applies whatever the shell says.
    """
    found: list[Overrule] = []
    if "claude" in audiences:
        found += _overrules_of_claude(environ, settings or {})
    return found + _proxied(environ, url)


def _overrules_of_claude(
    environ: Mapping[str, str], settings: Mapping[str, object]
) -> list[Overrule]:
    found = [
        Overrule(name, f"{name} is set: {effect}", f"unset {name}")
        for name, effect in _RIVALS.items()
        if environ.get(name)
    ]
    inner = settings.get("env")
    names = sorted(set(inner) & _SETTABLE) if isinstance(inner, dict) else []
    names += ["apiKeyHelper"] if settings.get("apiKeyHelper") else []
    return found + [
        Overrule(
            name,
            f"~/.claude/settings.json sets {name}: Claude Code applies it whatever the shell says",
            f"remove {name} from ~/.claude/settings.json",
        )
        for name in names
    ]


_RIVALS = {
    "ANTHROPIC_API_KEY": "Claude Code may send it in place of the gateway's key",
    "CLAUDE_CODE_USE_BEDROCK": "Claude Code calls Amazon Bedrock and never this gateway",
    "CLAUDE_CODE_USE_VERTEX": "Claude Code calls Google Vertex and never this gateway",
}
_SETTABLE = {
    *_RIVALS,
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
}


def _proxied(environ: Mapping[str, str], url: str) -> list[Overrule]:
    """Find a proxy that requests to the forward would be sent to: it cannot reach this machine."""
    host = url.removeprefix("http://").rpartition(":")[0].strip("[]")
    name = next((name for name in ("http_proxy", "HTTP_PROXY") if environ.get(name)), None)
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if name is None or {"*", host} & {entry.strip() for entry in exempt.split(",")}:
        return []
    return [
        Overrule(
            name,
            f"{name} is set and NO_PROXY does not name {host}: requests to the forward may go "
            "to the proxy",
            "export NO_PROXY=localhost,127.0.0.1,::1 no_proxy=localhost,127.0.0.1,::1",
        )
    ]


def differences(environ: Mapping[str, str], wanted: Sequence[Variable]) -> list[str]:
    """Name the variables that are set, but not to what they should be; never with a secret."""
    found = []
    for variable in wanted:
        actual = environ.get(variable.name)
        if actual is None or actual.rstrip("/") == variable.value:
            continue
        if variable.is_secret:
            found.append(f"{variable.name} is set to another key")
        else:
            shown = re.sub(r"//[^/@]*@", "//…@", actual)  # a URL can carry a password
            found.append(f"{variable.name} is {shown}, not {variable.value}")
    return found
