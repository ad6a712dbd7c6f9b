"""llmgwctl version: of both sides, which should be the same."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from llmgwctl import __version__
from llmgwctl.api.client import Client
from llmgwctl.errors import Unreachable
from llmgwctl.rules.printable import clean
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse

EXAMPLES = (("llmgwctl version", "of llmgwctl, and of the running llmgwd"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="for scripts; null where no daemon runs"
    )


def run(arguments: argparse.Namespace) -> int:
    try:
        daemon = Client(arguments.socket).status()["version"]
        found = daemon
    except Unreachable as error:
        daemon, found = None, f"({error.message})"
    if arguments.json:
        print(json.dumps({"llmgwctl": __version__, "llmgwd": daemon}, indent=2))
    else:
        print(f"llmgwctl {__version__}\nllmgwd   {clean(found)}")
    if daemon not in (None, __version__):
        print(
            "llmgwctl: the running llmgwd is of another version; "
            "restart it: llmgwctl service restart",
            file=sys.stderr,
        )
    return Exit.OK
