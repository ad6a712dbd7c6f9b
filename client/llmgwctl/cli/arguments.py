"""The command line of a verb: its parser, its help with examples, and how values are read."""

from __future__ import annotations

import argparse
import importlib
import sys

from llmgwctl.errors import UsageError
from llmgwctl.show.terminal import Terminal, detect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO, NoReturn, Protocol

    from llmgwctl.cli.verbs import Verb

    class VerbModule(Protocol):
        """What a module under commands/ holds; see `verbs.Verb`."""

        EXAMPLES: Examples

        def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

        def run(self, arguments: argparse.Namespace) -> int: ...


Examples = tuple[tuple[str, str], ...]  # command, what it does


class Parser(argparse.ArgumentParser):
    """A parser whose error is one line with a remedy."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see: {self.prog} --help")


def load(verb: Verb) -> VerbModule:
    module: VerbModule = importlib.import_module(verb.module_name)
    return module


def build(verb: Verb, module: VerbModule) -> Parser:
    """Make the parser of one verb; help, completions and manual page come from it too."""
    description = getattr(module, "DESCRIPTION", "") or f"{_sentence(verb.summary)}."
    parser = Parser(
        prog=f"llmgwctl {verb.name}",
        description=_flowed(description),
        epilog=examples_text(module.EXAMPLES, verb),
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.set_defaults(verb=verb.name)
    module.add_arguments(parser)
    common = parser.add_argument_group("common options")
    common.add_argument(
        "--socket", metavar="PATH", help="the daemon's control socket (else $LLMGW_SOCKET)"
    )
    common.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto: on a terminal, unless NO_COLOR is set",
    )
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Draws help without colour, the same on every Python, and imports little until it draws.

    argparse makes a formatter with the first argument that is added, to check its texts. Left to
    itself this imports shutil (and so bz2 and lzma), and from Python 3.14 on the colours' module,
    which imports dataclasses and inspect: 20 ms of each `llmgwctl status`.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=min(detect(False).width, 100) - 2)

    def _set_color(self, *_: object, **__: object) -> None:
        """Leave the colours to the first use of what this method would set."""

    def __getattr__(self, name: str) -> object:
        if name not in ("_theme", "_decolor"):
            raise AttributeError(name)
        # Python 3.14 and later have it.
        super()._set_color(False)  # type: ignore[misc]
        return self.__dict__[name]


def _flowed(text: str) -> str:
    """Fit paragraphs to the terminal, whatever width they were written at; keep indented lines."""
    terminal = Terminal(min(detect(False).width, 100) - 2)
    paragraph: list[str] = []
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line and not line.startswith(" "):
            paragraph.append(line)
            continue
        lines += terminal.wrap(" ".join(paragraph), "", "") if paragraph else []
        lines.append(line)
        paragraph = []
    return "\n".join(lines).rstrip("\n")


def examples_of(examples: Examples, verb: Verb) -> Examples:
    """Pick the verb's own where several verbs share a module."""
    own = tuple(pair for pair in examples if pair[0].split()[1:2] == [verb.name])
    return own or examples


def examples_text(examples: Examples, verb: Verb) -> str:
    chosen = examples_of(examples, verb)
    width = max(len(command) for command, _ in chosen)
    if width > 40:
        lines = [f"  {command}\n      {does}" for command, does in chosen]
    else:
        lines = [f"  {command:{width}}  {does}" for command, does in chosen]
    return "\n".join(["examples:", *lines])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

# A century: longer is a typing mistake, and would overflow a socket's time-out.
_LONGEST_S = 36525 * 86400.0


def duration(text: str) -> float:
    """Read `90`, `30s`, `1.5h`, `1h30m`: seconds.

    Raises:
        argparse.ArgumentTypeError: it is not a duration, or above a century.
    """
    rest, total = text.strip(), 0.0
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        letters = len(rest[digits:]) - len(rest[digits:].lstrip("dhms"))
        unit = rest[digits : digits + letters]
        # A bare number counts seconds, but only alone: 1h30 could mean minutes.
        factor = _UNITS.get(unit) if unit else (1.0 if rest == text.strip() else None)
        try:
            if factor is None:
                raise ValueError
            total += float(rest[:digits]) * factor
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a duration: write 90, 30s, 15m, 1.5h, 1h30m or 7d"
            ) from None
        rest = rest[digits + letters :]
    if not text.strip() or total > _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 30s, 15m or 1h")
    return total


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add the option of the verbs that ask the gateway."""
    parser.add_argument(
        "--wait",
        type=duration,
        default=0.0,
        metavar="TIME",
        help="how long to wait for the forward to serve (0: report at once why it does not)",
    )


def parse(verb: Verb, words: Sequence[str]) -> tuple[VerbModule, argparse.Namespace]:
    """Import the verb's module and read its arguments.

    Raises:
        UsageError: they are not what the verb takes.
        SystemExit: help was asked for and printed.
    """
    module = load(verb)
    return module, build(verb, module).parse_args(list(words))


def prints_colour(choice: str, stream: IO[str] | None = None) -> bool:
    """Decide by --color, NO_COLOR (no-color.org), a dumb terminal, and whether it is a terminal."""
    import os

    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return (sys.stdout if stream is None else stream).isatty()
