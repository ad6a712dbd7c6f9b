"""Checks of the shell the doctor was called from: where each program would really go. Pure.

Judged by what a program does with what it finds, not by a list of values: any name of this machine
is right, /v1 may be there or not where the SDK adds it, and a file that wins over the shell wins
here too. A sentence never holds a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.doctor.by_files import check_aider, check_opencode, opencode_address
from llmgwctl.doctor.claude import check_claude
from llmgwctl.doctor.codex import address_of, check_codex
from llmgwctl.doctor.line import shell_line
from llmgwctl.gateway import claude_settings, proxies
from llmgwctl.gateway.address import leads_to
from llmgwctl.gateway.changes import shown
from llmgwctl.gateway.programs import aider, claude, codex, opencode
from llmgwctl.gateway.programs.program import rivals_in
from llmgwctl.gateway.programs.table import PROGRAMS
from llmgwctl.wire import CheckState, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from llmgwctl.doctor.surroundings import Surroundings
    from llmgwctl.gateway.programs.program import Endpoint, Program


# Led by variables alone. Not those that read the SDKs' own: one line says it for all of them.
_BY_VARIABLES = tuple(
    program
    for program in PROGRAMS.values()
    if program.name not in ("claude", "codex", "opencode", "aider")
)


def check_shell(
    found: Surroundings, endpoint: Endpoint, others: Sequence[Endpoint] = ()
) -> list[CheckStatus]:
    """Give one line for each program that is installed or has something set.

    One that leads to another forward, of `others`, is judged by that one.
    """

    def meant(*addresses: str) -> Endpoint:
        led = (each for each in others if any(_reaches(url, each) for url in addresses))
        return next(led, endpoint)

    lines: list[CheckStatus] = []
    if claude.PROGRAM.name in found.installed or _claude_has(found):
        held = claude_settings.effective(found.environ, found.settings).environ
        by = meant(held.get("ANTHROPIC_BASE_URL", ""))
        lines += check_claude(found.environ, found.settings, by)
    if found.codex_config is not None or codex.PROGRAM.name in found.installed:
        config = found.codex_config or {}
        lines.append(check_codex(config, found.environ, meant(address_of(config))))
    lines += _by_files(found, meant)
    for program in _BY_VARIABLES:
        addresses = [found.environ.get(each.name, "") for each in program.leads if not each.is_key]
        lines += _check_variables(program, found.environ, meant(*addresses))
    if any(line["state"] != CheckState.INFO for line in lines):
        return lines
    return [*lines, _nothing(found.environ)]


def _by_files(found: Surroundings, meant: Callable[[str], Endpoint]) -> Iterator[CheckStatus]:
    config, settings, environ = found.opencode_config, found.aider_settings, found.environ
    by = meant(opencode_address(config)), meant(settings.get("openai-api-base", ""))
    judged = (
        (opencode.PROGRAM, by[0], check_opencode(config, environ, by[0])),
        (aider.PROGRAM, by[1], check_aider(settings, environ, by[1])),
    )
    for program, endpoint, lines in judged:
        proxy = proxies.proxy_for(endpoint.url, environ, program.proxies)
        for line in lines:
            is_right = line["state"] == CheckState.OK
            yield proxied(program.title, proxy) if is_right and proxy is not None else line


def _reaches(url: str, endpoint: Endpoint) -> bool:
    return bool(url) and leads_to(url, endpoint.url, needs_path=False)


def _claude_has(found: Surroundings) -> bool:
    names = [*found.environ, *(name for file in found.settings for name in file.env)]
    names += ["ANTHROPIC_" for file in found.settings if file.helper or file.fault]
    return any(name.startswith(("ANTHROPIC_", "CLAUDE_CODE_USE_")) for name in names)


def _check_variables(
    program: Program, environ: Mapping[str, str], endpoint: Endpoint
) -> Iterator[CheckStatus]:
    """Judge a program that variables alone lead; one that none leads gets no line."""
    addresses = [lead for lead in program.leads if not lead.is_key and environ.get(lead.name)]
    keys = [lead for lead in program.leads if lead.is_key and environ.get(lead.name)]
    if not addresses and not (keys and program.name in ("openai", "avante")):
        return
    wrong = [
        f"{lead.name} is {shown(environ[lead.name])}, not {lead.value(endpoint)}"
        for lead in addresses
        if not leads_to(environ[lead.name], lead.value(endpoint), needs_path=False)
    ]
    if not wrong and endpoint.key is not None:
        wrong += [
            f"{lead.name} is set to another key"
            for lead in keys
            if environ[lead.name] != endpoint.key
        ]
    if not addresses and program.name == "openai":
        wrong = ["OPENAI_API_KEY is set and OPENAI_BASE_URL is not: SDKs go to api.openai.com"]
    if wrong:
        cause = f"{program.title} started from this shell go elsewhere, or with another key"
        yield shell_line(CheckState.WARNING, "; ".join(wrong), cause, remedy(environ))
        return
    for name, rival in rivals_in(program, environ):
        yield shell_line(CheckState.WARNING, f"{name} is set: {rival.effect}", "", f"unset {name}")
    proxy = proxies.proxy_for(endpoint.url, environ, program.proxies)
    if proxy is not None:
        yield proxied(program.title, proxy)
        return
    names = ", ".join(lead.name for lead in (*addresses, *keys))
    does = f"lead to {endpoint.url}" if addresses else "is set, to the gateway's key"
    yield shell_line(CheckState.OK, f"{names} {does}")


def proxied(title: str, name: str) -> CheckStatus:
    hosts = ",".join(proxies.LOOPBACK)
    return shell_line(
        CheckState.WARNING,
        f"{title}: requests to the forward go to the proxy of {name}, the key with them",
        "NO_PROXY does not name this machine",
        f"export NO_PROXY={hosts} no_proxy={hosts}",
    )


def _nothing(environ: Mapping[str, str]) -> CheckStatus:
    return shell_line(CheckState.INFO, "no variable leads to the gateway", "", remedy(environ))


def remedy(environ: Mapping[str, str]) -> str:
    if environ.get("SHELL", "").endswith("fish"):
        return "llmgwctl env | source"
    if environ.get("SHELL", "").endswith("/nu"):
        return "llmgwctl env --shell json | from json | load-env"
    return 'eval "$(llmgwctl env)"'
