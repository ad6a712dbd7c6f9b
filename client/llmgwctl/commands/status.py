"""llmgwctl status: the daemon's state at a glance."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from llmgwctl.client import Client
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse

EXAMPLES = (
    ("llmgwctl status", "a table of all forwards"),
    ("llmgwctl status --json", "the same for scripts"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as JSON")


def run(arguments: argparse.Namespace) -> int:
    status = Client(arguments.socket).status()
    json.dump(status, sys.stdout, indent=2, ensure_ascii=False)
    print()
    return Exit.OK
