"""Where Claude Code would go from here, with which key and which models. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmgwctl.doctor.line import shell_line
from llmgwctl.gateway import claude_models, claude_settings, proxies
from llmgwctl.gateway.address import leads_to
from llmgwctl.gateway.changes import shown
from llmgwctl.gateway.programs import claude
from llmgwctl.gateway.programs.program import rivals_in
from llmgwctl.rules.models import without_suffix
from llmgwctl.wire import CheckState, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmgwctl.gateway.claude_settings import Effective, SettingsFile
    from llmgwctl.gateway.programs.program import Endpoint, Rival

_SETUP = "llmgwctl setup claude, or for once: llmgwctl run -- claude"
_URL, _TOKEN, _API_KEY = "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"
# Names that Anthropic gives: a release of Claude Code may know them without a variable.
_ANTHROPICS = re.compile(r"claude-[a-z]+-\d+(-\d)?(-\d{8})?")


def check_claude(
    environ: Mapping[str, str], settings: Sequence[SettingsFile], endpoint: Endpoint
) -> list[CheckStatus]:
    """Give a line for each thing that leads it elsewhere, or one that it is led here."""
    held = claude_settings.effective(environ, settings)
    unread = [_unread(file) for file in settings if file.fault]
    return unread + _leading(held, endpoint)


def _leading(held: Effective, endpoint: Endpoint) -> list[CheckStatus]:
    if not _is_set(held, _URL) and not _providers(held):
        return [_elsewhere()]
    wrong = [*_providers(held), *_address(held, endpoint)]
    if not wrong:
        wrong = [*_key(held, endpoint)]
    wrong += [*_others(held, endpoint), *_proxy(held, endpoint)]
    if wrong:
        return wrong
    place = f", by {held.origins[_URL].path}" if _URL in held.origins else ""
    right = shell_line(CheckState.OK, f"Claude Code leads to {endpoint.url}{place}")
    return [right, *_models(held, endpoint)]


def _unread(file: SettingsFile) -> CheckStatus:
    return shell_line(
        CheckState.WARNING,
        f"Claude Code takes nothing from {file.path}: {file.fault}",
        "it reads no comments and no trailing commas",
        f"correct {file.path}",
    )


def models_asked_for(environ: Mapping[str, str], settings: Sequence[SettingsFile]) -> list[str]:
    return claude_models.asked_for(claude_settings.effective(environ, settings).environ)


def _is_set(held: Effective, name: str) -> bool:
    return bool(held.environ.get(name))


def _elsewhere() -> CheckStatus:
    return shell_line(
        CheckState.INFO, "Claude Code goes to api.anthropic.com: nothing leads it here", "", _SETUP
    )


def _providers(held: Effective) -> list[CheckStatus]:
    """Report what makes its address meaningless."""
    return [
        _against(name, held, rival.effect)
        for name, rival in rivals_in(claude.PROGRAM, held.environ)
        if _is_provider(name, rival)
    ]


def _is_provider(name: str, rival: Rival) -> bool:
    return not rival.is_key and ("_USE_" in name or name.endswith("_SOCKET"))


def _address(held: Effective, endpoint: Endpoint) -> Iterator[CheckStatus]:
    url = held.environ.get(_URL, "")
    if url and not leads_to(url, endpoint.url):
        where = _where(_URL, held)
        yield shell_line(
            CheckState.WARNING,
            f"{_URL} is {shown(url)}, not {endpoint.url}{where}",
            "Claude Code started from this shell goes elsewhere",
            _remedy(_URL, held),
        )


def _key(held: Effective, endpoint: Endpoint) -> Iterator[CheckStatus]:
    """Judge the key that the gateway would take: of the header, the token, the helper, the rest."""
    headers = held.environ.get(claude.HEADERS, "")
    if claude.key_headers_in(headers):
        if endpoint.key is not None and not _holds(headers, endpoint.key):
            yield _against(claude.HEADERS, held, "the gateway takes the key in it, another one")
    elif _is_set(held, _TOKEN):
        if endpoint.key is not None and held.environ[_TOKEN] != endpoint.key:
            yield _against(_TOKEN, held, "it is another key")
    elif held.helper:
        if not claude_settings.is_ours(held.helper):
            assert held.helper_file is not None
            yield shell_line(
                CheckState.WARNING,
                f"{held.helper_file.path} sets apiKeyHelper, and it is not llmgwctl key",
                "Claude Code sends the key that it prints",
                "llmgwctl setup claude",
            )
    elif not _is_set(held, _API_KEY):
        yield shell_line(
            CheckState.WARNING, f"Claude Code leads to {endpoint.url} with no key", "", _SETUP
        )


def _holds(headers: str, key: str) -> bool:
    values = [line.partition(":")[2].strip() for line in headers.splitlines()]
    return any(value.removeprefix("Bearer ") == key for value in values)


def _others(held: Effective, endpoint: Endpoint) -> Iterator[CheckStatus]:
    for name, rival in rivals_in(claude.PROGRAM, held.environ):
        if _is_provider(name, rival):
            continue
        if endpoint.key is None or held.environ[name] != endpoint.key:
            yield _against(name, held, rival.effect)


def _proxy(held: Effective, endpoint: Endpoint) -> Iterator[CheckStatus]:
    url = held.environ.get(_URL, endpoint.url)
    name = proxies.proxy_for(url, held.environ, claude.PROGRAM.proxies)
    if name is not None:
        hosts = ",".join(proxies.LOOPBACK)
        yield shell_line(
            CheckState.WARNING,
            f"Claude Code sends requests to the forward to the proxy of {name}, key and all",
            "NO_PROXY does not name this machine",
            f"export NO_PROXY={hosts} no_proxy={hosts}",
        )


def _models(held: Effective, endpoint: Endpoint) -> Iterator[CheckStatus]:
    """Report where it would ask for a model of its own choice that the gateway may not have."""
    needed = claude_models.defaults(endpoint.models or (), held.environ)
    own = [name for name in needed if not _ANTHROPICS.fullmatch(needed[name])]
    main = without_suffix(held.environ.get(claude_models.MAIN, ""))
    is_chosen = main and main not in claude_models.FAMILIES
    if claude_models.MAIN in needed or (own and not is_chosen):
        chosen = ", ".join(f"{name}={value}" for name, value in needed.items())
        yield shell_line(
            CheckState.WARNING,
            "Claude Code asks for a default model that the gateway does not offer by that name",
            f"none of its variables names one of the gateway's: {chosen}",
            'llmgwctl setup claude, or: eval "$(llmgwctl env --for claude)"',
        )


def _against(name: str, held: Effective, effect: str) -> CheckStatus:
    found = f"{name} is set{_where(name, held)}: {effect}"
    return shell_line(CheckState.WARNING, found, "", _remedy(name, held))


def _where(name: str, held: Effective) -> str:
    return f" in {held.origins[name].path}" if name in held.origins else ""


def _remedy(name: str, held: Effective) -> str:
    if name in held.origins:
        return f"remove {name} from {held.origins[name].path}, or llmgwctl setup claude"
    return 'eval "$(llmgwctl env --for claude)"' if name == _URL else f"unset {name}"
