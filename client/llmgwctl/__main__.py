"""llmgwctl's way in: find the verb, run it, and turn every end into an exit status.

Imports what all verbs need and nothing more; what one verb needs, its module imports.
"""

from __future__ import annotations

import io
import os
import sys

from llmgwctl.cli.verbs import DEFAULT_VERB, VERBS, find
from llmgwctl.errors import ClientError, NotRunning, UsageError
from llmgwctl.wire import Exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from llmgwctl.cli.verbs import Verb

# Options of every verb that may also stand before it, and whether a value follows.
_COMMON = {"--socket": True, "--color": True}


def program() -> NoReturn:
    """Be llmgwctl, and end at once: taking the interpreter apart takes as long as the table."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `llmgwctl` and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a sign shows a question mark, not a traceback.
        sys.stdout.reconfigure(errors="replace")
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
        # Here, where a reader that has gone can still be dealt with.
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
    """Answer the shells' completion scripts; no verb for people, so not in the registry."""
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
    """Look at the service manager, which takes a while: only once nobody answered."""
    from llmgwctl.service.state import explain, look

    try:
        return error if error.remedy else explain(look())
    except KeyboardInterrupt:
        return error


def _complain(error: ClientError) -> int:
    try:
        sys.stdout.flush()
        print(f"llmgwctl: {error.text()}", file=sys.stderr)
    except BrokenPipeError:
        _forget_output()
    return error.exit_status


def _forget_output() -> None:
    """Have the interpreter's last flush go nowhere: the reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    program()
