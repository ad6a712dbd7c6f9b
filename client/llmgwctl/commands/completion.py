"""llmgwctl completion: the lines that make a shell ask llmgwctl for completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.cli.completion import SCRIPTS
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse

EXAMPLES = (
    ('eval "$(llmgwctl completion bash)"', "in ~/.bashrc"),
    ("llmgwctl completion zsh > ~/.zfunc/_llmgwctl", "a folder of $fpath"),
    ("llmgwctl completion fish | source", "in ~/.config/fish/config.fish"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="whose completions to print")


def run(arguments: argparse.Namespace) -> int:
    print(SCRIPTS[arguments.shell], end="")
    return Exit.OK
