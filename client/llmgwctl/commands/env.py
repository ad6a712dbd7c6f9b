"""llmgwctl env: the variables that lead programs through a forward."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.errors import ClientError
from llmgwctl.gateway import claude_settings, leading, proxies, shells
from llmgwctl.gateway.changes import Change, applied, changes
from llmgwctl.gateway.destination import key_of, url_of
from llmgwctl.gateway.programs import avante, claude, codex
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.gateway.programs.table import ALL, PROGRAMS, chosen
from llmgwctl.gateway.taken_away import taken_away
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from llmgwctl.gateway.claude_settings import SettingsFile
    from llmgwctl.gateway.programs.program import Program
    from llmgwctl.wire import ForwardStatus

DESCRIPTION = """\
Print the variables that lead programs to the gateway, in the words of a shell: of Claude Code,
OpenAI SDKs and avante.nvim, or with --for of one program. Then the lines that take away what would
beat them are printed too, and Claude Code's models are chosen from the gateway's list; without it,
what would beat them is reported on stderr. A key that is not at hand within 0.2 s is left out."""

EXAMPLES = (
    ('eval "$(llmgwctl env)"', "set them in bash or zsh"),
    ("llmgwctl env | source", "set them in fish"),
    ("llmgwctl env --shell json | from json | load-env", "set them in nushell"),
    ('eval "$(llmgwctl env --for claude)"', "all that Claude Code needs, and nothing against it"),
    ('eval "$(llmgwctl env --unset)"', "take away what env has set"),
    ("llmgwctl env --direnv >> .envrc", "have direnv set them in this folder, key asked for anew"),
    ("llmgwctl env --shell dotenv --no-key > .env", "addresses only, for a file that is shared"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shell", choices=shells.SHELLS, help="the dialect (else by $SHELL)")
    leading.add_options(parser)
    parser.add_argument(
        "--unset", action="store_true", help="print the lines that take away what env has set"
    )
    parser.add_argument(
        "--direnv", action="store_true", help="print the line for an .envrc instead; it has no key"
    )
    add_forward(parser)


def run(arguments: argparse.Namespace) -> int:
    command = _command(arguments)
    shell = arguments.shell or shells.default_shell(os.environ)
    audience = arguments.audience or ALL
    if arguments.direnv:
        print(shells.direnv_line(command))
        return Exit.OK
    if arguments.unset:
        programs = tuple(PROGRAMS.values()) if audience == ALL else chosen(audience)
        sys.stdout.write(shells.render(taken_away(programs, os.environ), shell, command=command))
        return Exit.OK
    client = Client(arguments.socket, leading.DAEMON_S)
    forward = choose_gateway(client.status(), arguments.forward)
    endpoint, problem = _endpoint(client, forward, arguments)
    programs = chosen(audience)
    files = leading.settings_files(programs)
    found, lines = _chosen_changes(audience, endpoint, arguments, files)
    key_command = leading.key_command(arguments)
    notes = avante.notes(endpoint.url, key_command) if avante.PROGRAM in programs else []
    sys.stdout.write(shells.render(found, shell, notes=notes, command=command))
    if not arguments.quiet:
        after = applied(os.environ, found)
        model = arguments.model
        leading.say(lines + leading.settings_against(files, endpoint, after, model))
    if problem is None:
        return Exit.OK
    leading.say([f"addresses only, the key is not at hand: {problem.text()}"])
    return Exit.NOT_SO


def _endpoint(
    client: Client, forward: ForwardStatus, arguments: argparse.Namespace
) -> tuple[Endpoint, ClientError | None]:
    """Take what is at hand, and say what kept the key away."""
    url = url_of(forward)
    key, problem = None, None
    try:
        if not arguments.no_key:
            key = key_of(client, forward, leading.AT_HAND_S)["key"]
    except ClientError as error:
        problem = error
    models = None
    if arguments.audience in leading.BY_MODELS:
        models = leading.models_at_hand(client.path, forward)
    return Endpoint(url, key, models), problem


def _chosen_changes(
    audience: str,
    endpoint: Endpoint,
    arguments: argparse.Namespace,
    files: Sequence[SettingsFile],
) -> tuple[list[Change], list[str]]:
    """Give what is to be printed, and what is to be said of it."""
    programs = chosen(audience)
    environ = claude_settings.with_model(os.environ, files)
    found = changes(programs, environ, endpoint, leading.wish_of(arguments))
    if audience != ALL:
        lines = [each.sentence for each in found if each.sentence]
        return found, lines + _by_its_file_alone(programs[0], endpoint)
    kept = _common_names(programs, is_by_header=arguments.custom_headers)
    if arguments.model:
        kept |= {name for name in (each.name for each in found) if name.endswith("_MODEL")}
    return [each for each in found if each.name in kept], leading.rivals_set(programs, os.environ)


def _by_its_file_alone(program: Program, endpoint: Endpoint) -> list[str]:
    """Say where no variable leads a program."""
    found = program.obstacle(os.environ, os.getcwd())
    if program == codex.PROGRAM and not codex.is_named(endpoint.url, os.environ):
        found = "Codex takes its address from its configuration alone"
    return [f"{found}: llmgwctl setup {program.name}"] if found else []


def _common_names(programs: Sequence[Program], *, is_by_header: bool) -> set[str]:
    """Name what a shell is given for any program: nothing is taken from those not named."""
    names = {lead.name for program in programs for lead in program.leads}
    return names | set(proxies.EXEMPTING) | ({claude.HEADERS} if is_by_header else set())


def _command(arguments: argparse.Namespace) -> str:
    """Word the call again, for the line that says how to have it read."""
    words = ["llmgwctl", "env"]
    if arguments.shell and not arguments.direnv:
        words += ["--shell", arguments.shell]
    given = {
        "--for": arguments.audience,
        "--model": arguments.model,
        "--forward": arguments.forward,
    }
    words += [word for flag, value in given.items() if value for word in (flag, value)]
    flags = ("--custom-headers", "--no-key", "--keep-key", "--quiet", "--unset")
    is_set = vars(arguments)
    words += [flag for flag in flags if is_set[flag.lstrip("-").replace("-", "_")]]
    return shlex.join(words)
