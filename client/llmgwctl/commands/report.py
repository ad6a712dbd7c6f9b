"""llmgwctl report: what a bug report needs, in one file that a stranger may read."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import platform
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from llmgwctl.api.client import Client
from llmgwctl.commands import doctor, version
from llmgwctl.errors import ClientError, Unreachable
from llmgwctl.rules.disguise import Person, disguise
from llmgwctl.rules.printable import clean_lines
from llmgwctl.wire import ApiPath, Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DESCRIPTION = """\
Collect versions, status, doctor, events, requests and the end of the log in one file, to be
attached to a bug report. Keys and tokens are taken out; hosts, addresses and accounts are replaced
by words that stay the same throughout. Names of contexts, namespaces and pods stay. All of it is
shown first, and written when you say so."""

EXAMPLES = (
    ("llmgwctl report", "show it, ask, and write llmgw-report-….txt here"),
    ("llmgwctl report -o report.txt --yes", "write it without asking"),
    ("llmgwctl report --print", "show it and write nothing"),
)
_EVENTS_S: Final = 7 * 86_400.0
_LINES: Final = 300
_LOG_S: Final = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there; must not exist")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--yes", action="store_true", help="write it without asking")
    how.add_argument("--print", action="store_true", help="show it, write nothing")


def run(arguments: argparse.Namespace) -> int:
    text = "".join(f"{line}\n" for line in clean_lines(disguise(_collected(arguments), _person())))
    print(text, end="", flush=True)
    if arguments.print:
        return Exit.OK
    path = arguments.output or time.strftime("llmgw-report-%Y%m%dT%H%M%SZ.txt", time.gmtime())
    if not arguments.yes and not _is_wanted(path):
        print("llmgwctl: nothing was written", file=sys.stderr)
        return Exit.NOT_SO
    _write(path, text)
    print(f"llmgwctl: wrote {path}", file=sys.stderr)
    return Exit.OK


def _collected(arguments: argparse.Namespace) -> str:
    client = Client(arguments.socket)
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "versions": lambda: _versions(client),
        "service": _service,
        "status": lambda: iter([json.dumps(client.status(), indent=1)]),
        "doctor": lambda: _doctor(arguments.socket),
        "events of seven days": lambda: _events(client),
        f"the last {_LINES} requests": lambda: _requests(client),
        f"the last {_LINES} lines of the log": _log,
    }
    return "\n".join(line for title, part in parts.items() for line in _part(title, part))


def _part(title: str, part: Callable[[], Iterator[str]]) -> Iterator[str]:
    """Give a part under its title; one that fails must not take the others with it."""
    yield f"== {title}"
    try:
        yield from part()
    except (ClientError, OSError, subprocess.SubprocessError) as error:
        yield error.text() if isinstance(error, ClientError) else f"{type(error).__name__}: {error}"
    yield ""


def _versions(client: Client) -> Iterator[str]:
    try:
        daemon = client.status()["version"]
    except Unreachable:
        daemon = None
    yield json.dumps(version.versions(client, daemon), indent=1)


def _service() -> Iterator[str]:
    from llmgwctl.service.available import manager_of_platform

    state = manager_of_platform().state()
    yield from state.lines or ("llmgwd is not installed as a service here",)


def _doctor(socket: str | None) -> Iterator[str]:
    options = argparse.Namespace(socket=socket, forward=None, model=[], paid=False, config=None)
    for check in doctor.checks(options):
        yield json.dumps(check)


def _events(client: Client) -> Iterator[str]:
    for event in client.events(since_s=_EVENTS_S, follow=False):
        # The snapshot is the status once more.
        if "status" not in event:
            yield json.dumps(event)


def _requests(client: Client) -> Iterator[str]:
    records = list(client.lines(ApiPath.REQUESTS, {"follow": False}))
    yield from (json.dumps(record) for record in records[-_LINES:])


def _log() -> Iterator[str]:
    from llmgwctl.service.available import manager_of_platform

    manager = manager_of_platform()
    if not manager.state().is_installed:
        yield "llmgwd is no service here: its log is where it was started"
        return
    command = manager.log_command(_LINES, follow=False)
    done = subprocess.run(  # noqa: S603 - the service manager's own
        command, capture_output=True, text=True, errors="replace", timeout=_LOG_S, check=False
    )
    yield done.stdout or done.stderr


def _person() -> Person:
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = ""
    return Person(account, os.path.expanduser("~"), platform.node(), os.environ)


def _is_wanted(path: str) -> bool:
    """Ask; where no one can answer, the answer is no."""
    if not sys.stdin.isatty():
        print("llmgwctl: no terminal to ask at; to write it: --yes", file=sys.stderr)
        return False
    print(f"Write this to {path}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _write(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ClientError(
            "not-written", f"cannot write {path}: {error.strerror}", "llmgwctl report -o FILE"
        ) from error
