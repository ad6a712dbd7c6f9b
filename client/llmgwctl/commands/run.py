"""llmgwctl run: become a program that is led to the gateway, once the forward serves."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.api.waiting import wait_until_serving
from llmgwctl.cli.arguments import duration
from llmgwctl.commands.env import chosen, warn
from llmgwctl.errors import ClientError, UsageError
from llmgwctl.gateway import variables as environment
from llmgwctl.gateway.destination import key_of, url_of

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
Wait until the forward serves, then run a program with the variables of `llmgwctl env`.
It takes this process's place: signals, terminal and exit status are its own. A key of
Anthropic's in ANTHROPIC_API_KEY is kept from it. Exit status 127 when there is no such
program, 126 when it cannot be run."""

EXAMPLES = (
    ("llmgwctl run -- claude", "Claude Code through the gateway"),
    ("llmgwctl run --for openai -- python app.py", "a program of an OpenAI SDK"),
    ("llmgwctl run --timeout 2m -- claude -p hello", "wait up to two minutes for the forward"),
)

# What a shell says, and so what scripts expect.
_NOT_FOUND, _NOT_RUNNABLE = 127, 126

# Claude Code would send it next to, or in place of, the gateway's key.
_KEPT_BACK = "ANTHROPIC_API_KEY"


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
    parser.add_argument(
        "--for",
        dest="audience",
        choices=(*environment.AUDIENCES, "all"),
        default="all",
        help="set only what this program reads",
    )
    parser.add_argument(
        "--custom-headers",
        action="store_true",
        help="give Claude Code the key in a header of LiteLLM's own, and leave it its own login",
    )
    add_forward(parser)
    parser.add_argument("program", nargs=argparse.REMAINDER, help="-- PROGRAM [ARGUMENT …]")


def run(arguments: argparse.Namespace) -> int:
    words = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not words:
        raise UsageError("no program to run", "llmgwctl run -- PROGRAM [ARGUMENT …]")
    program = _find(words[0])
    client = Client(arguments.socket)
    forward = choose_gateway(client.status(), arguments.forward)
    if arguments.timeout > 0:
        forward = wait_until_serving(client, forward["name"], arguments.timeout)
    url = url_of(forward)
    audiences = chosen(arguments.audience)
    key = key_of(client, forward)["key"]
    wanted = environment.variables(url, key, audiences, custom_headers=arguments.custom_headers)
    keeps_login = arguments.custom_headers or "claude" not in audiences
    kept_back = () if keeps_login else (_KEPT_BACK,)
    warn(url, audiences, except_for=kept_back)
    inherited = {name: value for name, value in os.environ.items() if name not in kept_back}
    _become(program, words, inherited | {each.name: each.value for each in wanted})


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
    # Python ignores it for itself, and a program inherits what is ignored: `… | head` would
    # leave it writing to nobody.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execve(program, list(words), environ)  # noqa: S606 - the program the person named
    except OSError as error:
        raise CannotRun(f"{program} cannot be run: {error.strerror}", _NOT_RUNNABLE) from error
