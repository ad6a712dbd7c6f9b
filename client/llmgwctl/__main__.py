"""The entry point of llmgwctl: find the verb, run it, and turn every end into an exit status.

It imports only what all verbs need; what one verb needs, that verb's module imports.
"""

from __future__ import annotations

import io
import os
import sys

from llmgwctl.cli.verbs import DEFAULT_VERB, VERBS, find
from llmgwctl.errors import ClientError, NotRunning, UsageError
from llmgwctl.rules.printable import clean_lines
from llmgwctl.wire import Exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from llmgwctl.cli.verbs import Verb

# Options of every verb that may also come before it, and whether a value follows.
_COMMON = {"--socket": True, "--color": True}


def program() -> NoReturn:
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run `llmgwctl` and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a sign shows a question mark, not a traceback.
        sys.stdout.reconfigure(errors="replace")
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
        # Here, where a closed pipe is still handled; the interpreter would print a traceback.
        sys.stdout.flush()
        return status
    except NotRunning as error:
        return _complain(_explained(error))
    except ClientError as error:
        return _complain(error)
    except BrokenPipeError:
        _forget_output()
        return Exit.OK
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception:
        odd = _odd_answer()
        if odd is None:
            raise
        return _complain(odd)


def _odd_answer() -> ClientError | None:
    """Find what a verb stumbled over, if it was an answer of the daemon and no mistake of ours."""
    from llmgwctl.api import client, contract

    return contract.odd_answer(client.answers)


def _run(words: list[str]) -> int:
    if words[:1] == ["__complete"]:
        return _propose(words[1:])
    from llmgwctl.cli.arguments import parse

    verb, rest = _choose(words)
    try:
        module, arguments = parse(verb, rest)
    except SystemExit as helped:
        return int(helped.code or 0)
    return module.run(arguments)


def _choose(words: list[str]) -> tuple[Verb, list[str]]:
    """Split the verb from its arguments; common options before it go with them."""
    before: list[str] = []
    rest = list(words)
    while rest and rest[0].partition("=")[0] in _COMMON:
        takes = 1 if "=" in rest[0] else 2
        before += rest[:takes]
        rest = rest[takes:]
    name = rest.pop(0) if rest else DEFAULT_VERB
    if name in ("-h", "--help"):
        name = "help"
    elif name in ("-V", "--version"):
        name = "version"
    verb = find(name)
    if verb is None:
        raise _unknown(name)
    # Before a lone "--", which ends the options: `run -- program --with its own`.
    return verb, [*before, *rest]


def _propose(words: list[str]) -> int:
    """Answer the shells' completion scripts; not a verb for people, so not among `VERBS`."""
    from llmgwctl.cli.completion import complete

    for word, meaning in complete(words):
        print(f"{word}\t{meaning}")
    return Exit.OK


def _unknown(name: str) -> UsageError:
    from llmgwctl.rules.nearest import nearest

    if name.startswith("-"):
        return UsageError(f"unknown option {name} before a verb", "see: llmgwctl help")
    near = nearest(name, [verb.name for verb in VERBS], 1)
    remedy = f"did you mean: llmgwctl {near[0]}" if near else "see: llmgwctl help"
    return UsageError(f"there is no verb {name!r}", remedy)


def _explained(error: NotRunning) -> NotRunning:
    """Ask the service manager why; that takes a while, so only once no daemon answered."""
    from llmgwctl.service.state import explain, look

    try:
        return error if error.remedy else explain(look())
    except KeyboardInterrupt:
        return error


def _complain(error: ClientError) -> int:
    try:
        sys.stdout.flush()
        print("\n".join(clean_lines(f"llmgwctl: {error.text()}")), file=sys.stderr)
    except BrokenPipeError:
        _forget_output()
    return error.exit_status


def _forget_output() -> None:
    """Send the interpreter's last flush to /dev/null: the pipe is closed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    program()
