"""llmgwctl env: the variables that lead programs through a forward."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.gateway import shells
from llmgwctl.gateway import variables as environment
from llmgwctl.gateway.destination import key_of, url_of
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

DESCRIPTION = """\
Print the variables that lead Claude Code, OpenAI SDKs and avante.nvim to the gateway,
in the words of a shell. What would overrule them is told on stderr."""

EXAMPLES = (
    ('eval "$(llmgwctl env)"', "set them in bash or zsh"),
    ("llmgwctl env | source", "set them in fish"),
    ("llmgwctl env --shell json | from json | load-env", "set them in nushell"),
    ("llmgwctl env --direnv >> .envrc", "have direnv set them in this folder, key asked for anew"),
    ("llmgwctl env --shell dotenv --no-key > .env", "addresses only, for a file that is shared"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shell", choices=shells.SHELLS, help="the dialect (else by $SHELL)")
    parser.add_argument(
        "--for",
        dest="audience",
        choices=(*environment.AUDIENCES, "all"),
        default="all",
        help="only what this program reads",
    )
    parser.add_argument(
        "--custom-headers",
        action="store_true",
        help="give Claude Code the key in a header of LiteLLM's own, and leave it its own login",
    )
    parser.add_argument("--no-key", action="store_true", help="addresses only")
    parser.add_argument(
        "--direnv", action="store_true", help="print the line for an .envrc instead; it has no key"
    )
    add_forward(parser)


def run(arguments: argparse.Namespace) -> int:
    command = _command(arguments)
    if arguments.direnv:
        print(shells.direnv_line(command))
        return Exit.OK
    client = Client(arguments.socket)
    forward = choose_gateway(client.status(), arguments.forward)
    url = url_of(forward)
    key = None if arguments.no_key else key_of(client, forward)["key"]
    audiences = chosen(arguments.audience)
    found = environment.variables(url, key, audiences, custom_headers=arguments.custom_headers)
    shell = arguments.shell or shells.default_shell(os.environ)
    warn(url, audiences)
    notes = environment.notes(url, audiences)
    sys.stdout.write(shells.render(found, shell, notes=notes, command=command))
    return Exit.OK


def chosen(audience: str) -> tuple[str, ...]:
    return environment.AUDIENCES if audience == "all" else (audience,)


def warn(url: str, audiences: tuple[str, ...], *, except_for: tuple[str, ...] = ()) -> None:
    """Tell on stderr what overrules the variables; stdout is for a shell to read."""
    for overrule in environment.overrules(os.environ, url, audiences, claude_settings(os.environ)):
        if overrule.name not in except_for:
            print(f"llmgwctl: {overrule.sentence}: {overrule.remedy}", file=sys.stderr)


def claude_settings(environ: Mapping[str, str]) -> dict[str, object] | None:
    """Read Claude Code's own settings; what cannot be read overrules nothing."""
    folder = environ.get("CLAUDE_CONFIG_DIR") or Path(environ.get("HOME", "~"), ".claude")
    try:
        settings = json.loads(Path(folder, "settings.json").read_text())
    except (OSError, ValueError):
        return None
    return settings if isinstance(settings, dict) else None


def _command(arguments: argparse.Namespace) -> str:
    """Word the call again, for the line that says how to have it read."""
    words = ["llmgwctl", "env"]
    if arguments.shell and not arguments.direnv:
        words += ["--shell", arguments.shell]
    if arguments.audience != "all":
        words += ["--for", arguments.audience]
    if arguments.forward:
        words += ["--forward", arguments.forward]
    flags = {"--custom-headers": arguments.custom_headers, "--no-key": arguments.no_key}
    return shlex.join([*words, *(flag for flag, is_set in flags.items() if is_set)])
