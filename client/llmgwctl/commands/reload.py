"""llmgwctl reload: have the daemon read its configuration again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.rules.printable import clean
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Have the daemon read its configuration again. Forwards that did not change keep their streams. A
mistake is reported, and changes nothing."""

EXAMPLES = (("llmgwctl reload", "after an edit"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add none: it has no arguments."""


def run(arguments: argparse.Namespace) -> int:
    config = Client(arguments.socket).reload()
    path = clean(config["path"])
    words = path if config["is_present"] else f"defaults: there is no {path}"
    print(f"configuration loaded: {words}")
    return Exit.OK
