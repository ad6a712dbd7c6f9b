"""What `run` and `env` share: their options, the endpoint they lead to, and what they report."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, cast

from llmgwctl.api.client import Client
from llmgwctl.errors import ClientError
from llmgwctl.gateway import claude_settings
from llmgwctl.gateway.changes import Wish
from llmgwctl.gateway.client import Gateway
from llmgwctl.gateway.programs import claude
from llmgwctl.gateway.programs.program import rivals_in
from llmgwctl.gateway.programs.table import CHOICES
from llmgwctl.wire import ApiPath

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from llmgwctl.gateway.claude_settings import SettingsFile
    from llmgwctl.gateway.programs.program import Endpoint, Program
    from llmgwctl.wire import ForwardStatus, ModelsStatus

# A new shell waits no longer than this for anything that is not at hand.
AT_HAND_S = 0.2
# Nor, for the addresses, than this for a daemon that hangs; one that is well answers in 10 ms.
DAEMON_S = 1.0
# The programs some of whose variables, or words, are made from the gateway's list of models.
BY_MODELS = ("claude", "codex", "opencode", "aider", "gemini")
# A program that is about to start may wait a moment for the list of models.
_LIST_S = 5.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for",
        dest="audience",
        choices=CHOICES,
        metavar="PROGRAM",
        help=f"what this program reads: {', '.join(CHOICES)}",
    )
    parser.add_argument("--model", default="", metavar="NAME", help="the model it is to ask for")
    parser.add_argument(
        "--custom-headers",
        action="store_true",
        help="give Claude Code the key in a header of LiteLLM's own, and leave it its own login",
    )
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--no-key", action="store_true", help="addresses only")
    keys.add_argument(
        "--keep-key", action="store_true", help="keep a key that the shell has set already"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="report no changes on stderr")


def wish_of(arguments: argparse.Namespace) -> Wish:
    return Wish(
        keeps_key=arguments.keep_key or arguments.no_key,
        custom_headers=arguments.custom_headers,
        model=arguments.model,
    )


def key_command(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Give the words that print the key, wherever the program that runs them is started from."""
    words = [_own_name(), "key", *_socket_words(arguments)]
    words += ["--forward", arguments.forward] if arguments.forward else []
    return tuple(words)


def status_command(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Give the words that print the state on one line."""
    return (_own_name(), "status", "--short", *_socket_words(arguments))


def _socket_words(arguments: argparse.Namespace) -> list[str]:
    return ["--socket", arguments.socket] if arguments.socket else []


def _own_name() -> str:
    """Give the bare name where every shell finds this program by it: not in a virtual environment,
    which may be activated in this shell alone.
    """
    own = os.path.abspath(sys.argv[0])
    if os.path.basename(own) != "llmgwctl":
        return "llmgwctl"
    names = (os.path.join(folder, "llmgwctl") for folder in os.get_exec_path())
    found = next((name for name in names if os.access(name, os.X_OK)), None)
    is_private = sys.prefix != sys.base_prefix and os.path.dirname(own) == f"{sys.prefix}/bin"
    if found is None or os.path.realpath(found) != os.path.realpath(own):
        return own
    return own if is_private and os.path.dirname(found) == os.path.dirname(own) else "llmgwctl"


def models_at_hand(path: str, forward: ForwardStatus) -> tuple[str, ...] | None:
    """Give the models that the daemon knows of; None while it knows none, and when in doubt."""
    quick = Client(path, AT_HAND_S)
    try:
        known = cast("ModelsStatus", quick.get(ApiPath.MODELS, {"forward": forward["name"]}))
    except ClientError:
        return None
    return None if known["age_s"] is None else _usable(known["models"])


def models_asked(endpoint: Endpoint) -> tuple[str, ...] | None:
    """Ask the gateway itself; None where it gives no list."""
    if endpoint.key is None:
        return None
    try:
        answer = Gateway(endpoint.url, endpoint.key, _LIST_S).get("/v1/models")
    except ClientError:
        return None
    data = answer.body.get("data") if isinstance(answer.body, dict) else None
    if answer.status != 200 or not isinstance(data, list):
        return None
    return _usable(each.get("id") for each in data if isinstance(each, dict))


def _usable(names: Iterable[object]) -> tuple[str, ...]:
    """Leave out what no program could ask for; these names go into files and variables."""
    return tuple(name for name in names if isinstance(name, str) and name.isprintable())


def say(lines: Iterable[str]) -> None:
    """Report on stderr; stdout is for a shell, or the program's own."""
    for line in lines:
        print(f"llmgwctl: {line}", file=sys.stderr)


def rivals_set(programs: Sequence[Program], environ: Mapping[str, str]) -> list[str]:
    """Say what is set against the programs' variables, with what takes it away."""
    found = {
        name: f"{name} is set: {rival.effect}: unset {name}"
        for program in programs
        for name, rival in rivals_in(program, environ)
    }
    headers = environ.get(claude.HEADERS, "")
    if claude.PROGRAM in programs and claude.key_headers_in(headers):
        name = claude.HEADERS
        found[name] = f"{name} is set: the gateway takes the key in it: unset {name}"
    return list(found.values())


def settings_files(programs: Sequence[Program]) -> list[SettingsFile]:
    """Read the settings files of Claude Code, where it is one of the programs."""
    if claude.PROGRAM not in programs:
        return []
    return claude_settings.read(os.environ, os.getcwd())


def settings_against(
    files: Sequence[SettingsFile], endpoint: Endpoint, environ: Mapping[str, str], model: str
) -> list[str]:
    """Say what Claude Code's settings files set against the endpoint."""
    return [
        f"{file.path} sets {name}, whatever the shell says: remove it there, or llmgwctl setup"
        " claude"
        for name, file in claude_settings.rivals(files, endpoint, environ, model)
    ]
