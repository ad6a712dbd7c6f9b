"""llmgwctl version: of both sides, which should be the same."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from llmgwctl import __version__
from llmgwctl.api.client import Client
from llmgwctl.errors import Refused, Unreachable
from llmgwctl.rules.printable import clean
from llmgwctl.wire import ApiPath, Exit

if TYPE_CHECKING:
    import argparse

    from llmgwctl.wire import Runtime

EXAMPLES = (
    ("llmgwctl version", "of llmgwctl, and of the running llmgwd"),
    ("llmgwctl version --json", "and of Python, the system and the libraries, for a bug report"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json",
        action="store_true",
        help="for scripts and bug reports; llmgwd and daemon are null where no daemon runs",
    )


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    try:
        daemon = client.status()["version"]
        found = daemon
    except Unreachable as error:
        daemon, found = None, f"({error.message})"
    if arguments.json:
        print(json.dumps(versions(client, daemon), indent=2))
    else:
        print(f"llmgwctl {__version__}\nllmgwd   {clean(found)}")
    if daemon not in (None, __version__):
        print(
            "llmgwctl: the running llmgwd is of another version; "
            "restart it: llmgwctl service restart",
            file=sys.stderr,
        )
    return Exit.OK


def versions(client: Client, daemon: str | None) -> dict[str, object]:
    """Give the versions of both sides, and what each runs on."""
    from llmgwctl.rules.runtime import runtime

    return {
        "llmgwctl": __version__,
        "llmgwd": daemon,
        "client": runtime(),
        "daemon": None if daemon is None else _of_daemon(client),
    }


def _of_daemon(client: Client) -> Runtime | None:
    """Ask the daemon; one that is older than the question does not know."""
    try:
        found: Runtime = client.get(ApiPath.VERSION)
    except (Refused, Unreachable):
        return None
    return found
