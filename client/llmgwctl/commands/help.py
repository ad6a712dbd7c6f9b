"""llmgwctl help: the verbs, one of them, or the manual page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.cli.arguments import build, load
from llmgwctl.cli.manual import man_page, overview
from llmgwctl.cli.verbs import VERBS, find
from llmgwctl.errors import UsageError
from llmgwctl.rules.nearest import nearest
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse

EXAMPLES = (
    ("llmgwctl help", "list the verbs"),
    ("llmgwctl help status", "explain one"),
    ("llmgwctl help --man | man -l -", "read the manual page"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("word", nargs="?", metavar="VERB", help="the verb to explain")
    parser.add_argument("--man", action="store_true", help="print the manual page's source")


def run(arguments: argparse.Namespace) -> int:
    if arguments.man:
        print(man_page(), end="")
    elif arguments.word is None:
        print(overview(), end="")
    else:
        verb = find(arguments.word)
        if verb is None:
            near = nearest(arguments.word, [each.name for each in VERBS], 1)
            remedy = f"did you mean: llmgwctl help {near[0]}" if near else "see: llmgwctl help"
            raise UsageError(f"there is no verb {arguments.word!r}", remedy)
        print(build(verb, load(verb)).format_help(), end="")
    return Exit.OK
