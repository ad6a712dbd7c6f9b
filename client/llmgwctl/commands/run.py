"""llmgwctl run: become a program that is led to the gateway, once the forward serves."""

from __future__ import annotations

import argparse
import errno
import json
import os
import shlex
import shutil
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.api.waiting import wait_until_serving
from llmgwctl.cli.arguments import duration
from llmgwctl.errors import ClientError, UsageError
from llmgwctl.gateway import claude_settings, leading
from llmgwctl.gateway.changes import applied, changes
from llmgwctl.gateway.destination import key_of, url_of
from llmgwctl.gateway.programs import claude
from llmgwctl.gateway.programs.program import Endpoint, Line, Start
from llmgwctl.gateway.programs.table import chosen, of_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmgwctl.gateway.claude_settings import SettingsFile
    from llmgwctl.gateway.programs.program import Program
    from llmgwctl.wire import ForwardStatus

DESCRIPTION = """\
Wait until the forward serves, then run a program with the variables that lead it there, as
`llmgwctl env --for PROGRAM` gives them. What would beat them is taken from it: another address,
login or key of that program's. Each change is one line on stderr. The program takes this
process's place: signals, terminal and exit status are its own. Exit status 127 when there is no
such program, 126 when it cannot be run."""

EXAMPLES = (
    ("llmgwctl run -- claude", "Claude Code through the gateway"),
    ("llmgwctl run --for openai -- python app.py", "a program of an OpenAI SDK"),
    ("llmgwctl run --model gpt-5 -- codex", "Codex, with a model of the gateway's"),
    ("llmgwctl run --timeout 2m -- claude -p hello", "wait up to two minutes for the forward"),
)

# What a shell says, and so what scripts expect.
_NOT_FOUND, _NOT_RUNNABLE = 127, 126


class CannotRun(ClientError):
    def __init__(self, message: str, exit_status: int, remedy: str = "") -> None:
        super().__init__("cannot-run", message, remedy)
        self.exit_status = exit_status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        type=duration,
        default=30.0,
        metavar="TIME",
        help="how long to wait for the forward to serve (30s; 0 does not wait)",
    )
    leading.add_options(parser)
    add_forward(parser)
    parser.add_argument("program", nargs=argparse.REMAINDER, help="-- PROGRAM [ARGUMENT …]")


def run(arguments: argparse.Namespace) -> int:
    words = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not words:
        raise UsageError("no program to run", "llmgwctl run -- PROGRAM [ARGUMENT …]")
    path = _find(words[0])
    client = Client(arguments.socket)
    forward = choose_gateway(client.status(), arguments.forward)
    if arguments.timeout > 0:
        forward = wait_until_serving(client, forward["name"], arguments.timeout)
    key = None if arguments.no_key else key_of(client, forward)["key"]
    audience = arguments.audience or of_command(words[0])
    endpoint = _with_models(Endpoint(url_of(forward), key), client, forward, audience)
    programs = chosen(audience)
    files = leading.settings_files(programs)
    known = claude_settings.with_model(os.environ, files)
    found = changes(programs, known, endpoint, leading.wish_of(arguments))
    lines = [each.sentence for each in found if each.sentence]
    environ = applied(os.environ, found)
    if len(programs) == 1:
        _check_obstacle(programs[0], environ)
    led = _line(programs, environ, endpoint, arguments, words, files)
    if not arguments.quiet:
        leading.say([*lines, *led.sentences])
    _become(path, [words[0], *led.words], environ)


def _check_obstacle(program: Program, environ: Mapping[str, str]) -> None:
    """Refuse to start what would take the prompt elsewhere all the same."""
    obstacle = program.obstacle(environ, os.getcwd())
    if obstacle:
        raise ClientError("led-elsewhere", obstacle, f"llmgwctl setup {program.name}")


def _with_models(
    endpoint: Endpoint, client: Client, forward: ForwardStatus, audience: str
) -> Endpoint:
    """Add the gateway's list where the program's variables are made from it."""
    if audience not in leading.BY_MODELS:
        return endpoint
    models = leading.models_at_hand(client.path, forward) or leading.models_asked(endpoint)
    return endpoint._replace(models=models)


def _line(
    programs: Sequence[Program],
    environ: Mapping[str, str],
    endpoint: Endpoint,
    arguments: argparse.Namespace,
    words: Sequence[str],
    files: Sequence[SettingsFile],
) -> Line:
    """Give the words to start the program with, and what to say of them."""
    own = tuple(words[1:])
    start = Start(endpoint, arguments.model, own, environ, os.getcwd())
    if len(programs) != 1 or of_command(words[0]) != programs[0].name:
        return Line(list(own), leading.settings_against(files, endpoint, environ, start.model))
    if programs[0].name != claude.PROGRAM.name:
        return programs[0].line(start)
    return _past_settings(start, arguments, files)


def _past_settings(
    start: Start, arguments: argparse.Namespace, files: Sequence[SettingsFile]
) -> Line:
    """Have Claude Code's settings files beaten by --settings, as far as they can be."""
    endpoint, model, words, environ, _ = start
    rivals = claude_settings.rivals(files, endpoint, environ, model)
    keeps_key = arguments.keep_key or arguments.custom_headers
    beaten = [
        (name, file)
        for name, file in rivals
        if not file.is_managed and not (keeps_key and claude_settings.is_of_key(name))
    ]
    lines = [
        f"{file.path} sets {name}: {_MANAGED if file.is_managed else _SETTLED}"
        for name, file in rivals
        if file.is_managed or (name, file) in beaten
    ]
    if arguments.keep_key:
        lines += _against_kept_key(files, environ)
    if not beaten:
        return Line(list(words), lines)
    if _has_settings(words):
        return Line(list(words), leading.settings_against(files, endpoint, environ, model))
    held = claude_settings.effective(environ, files).environ
    helper = shlex.join(leading.key_command(arguments))
    own = endpoint._replace(key=None) if keeps_key else endpoint
    settings = claude_settings.overriding(beaten, held, own, helper, model)
    return Line(["--settings", json.dumps(settings), *words], lines)


def _against_kept_key(files: Sequence[SettingsFile], environ: Mapping[str, str]) -> list[str]:
    """Say where a file takes the key of the shell away, as `setup` has it do."""
    origins = claude_settings.effective(environ, files).origins
    return [
        f"{origins[lead.name].path} sets {lead.name}, whatever the shell says: the key that is kept"
        " is not sent"
        for lead in claude.PROGRAM.leads
        if lead.is_key and environ.get(lead.name) and lead.name in origins
    ]


def _has_settings(words: Sequence[str]) -> bool:
    return any(word.partition("=")[0] == "--settings" for word in words)


_SETTLED = "beaten by --settings, for this run"
_MANAGED = "managed settings beat all others, and Claude Code applies it"


def _find(name: str) -> str:
    """Find the program as a shell would.

    Raises:
        CannotRun: there is none of that name, or it is no program.
    """
    found = shutil.which(name)
    if found is not None:
        return found
    if "/" in name and os.path.exists(name):
        raise CannotRun(f"{name} cannot be run", _NOT_RUNNABLE, f"chmod +x {name}")
    raise CannotRun(f"there is no program {name!r}", _NOT_FOUND)


def _become(program: str, words: Sequence[str], environ: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores SIGPIPE for itself, and a program inherits what is ignored: behind `… | head`
    # it would never be told that its reader has gone.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        try:
            os.execve(program, list(words), environ)  # noqa: S606 - the program the person named
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without its first line: execvp and every shell give it to sh.
            os.execve("/bin/sh", ["sh", program, *words[1:]], environ)  # noqa: S606
    except OSError as error:
        raise CannotRun(f"{program} cannot be run: {error.strerror}", _NOT_RUNNABLE) from error
