"""The overview of `llmgwctl help` and the manual page, both made from the verbs' parsers.

No text about a verb stands here, so neither can contradict `--help`.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from llmgwctl import __version__
from llmgwctl.cli.arguments import build, examples_of, load
from llmgwctl.cli.verbs import VERBS
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from llmgwctl.cli.verbs import Verb

_ABOUT = (
    "llmgwd keeps local ports, first of all localhost:4000, connected to a gateway that lives in a "
    "Kubernetes cluster or behind an HTTPS address. llmgwctl shows its state and controls it. With "
    "no verb, it shows the status."
)
_EXITS = (
    (Exit.OK, "done, or so"),
    (Exit.NOT_SO, "not (yet) so"),
    (Exit.USAGE, "the command line holds a mistake"),
    (Exit.UNREACHABLE, "the daemon cannot be reached"),
    (Exit.NEEDS_PERSON, "a person must act: a login, a permission"),
    (Exit.INTERRUPTED, "ended by Ctrl-C"),
)
_ENVIRONMENT = (
    ("LLMGW_SOCKET", "the daemon's control socket, where it is not at its usual place"),
    ("LLMGW_CONFIG", "the configuration file, where it is not at its usual place"),
    ("NO_COLOR", "when set, nothing is coloured"),
)


def overview() -> str:
    """List the verbs by group."""
    width = max(len(verb.name) for verb in VERBS)
    lines = ["usage: llmgwctl [VERB] [OPTION …]", "", "Shows the state of llmgwd, and controls it."]
    for group in dict.fromkeys(verb.group for verb in VERBS):
        lines += ["", f"{group}:"]
        members = [verb for verb in VERBS if verb.group == group]
        lines += [f"  {verb.name:{width}}  {verb.summary}" for verb in members]
    lines += ["", "With no verb: status. For more about one: llmgwctl VERB --help"]
    command = "man llmgwctl" if is_installed(os.environ) else "llmgwctl help --man | man -l -"
    lines.append(f"The manual page: {command}")
    return "\n".join(lines) + "\n"


def is_installed(environ: Mapping[str, str]) -> bool:
    """Say whether `man` finds the page: in $MANPATH, and beside the folders of $PATH where an
    empty entry of $MANPATH, or none at all, lets it search there.
    """
    folders = environ.get("MANPATH", "").split(":")
    if "" in folders:
        parents = [os.path.dirname(each.rstrip("/")) for each in environ.get("PATH", "").split(":")]
        folders += [os.path.join(each, "share", "man") for each in (*parents, "/usr", "/usr/local")]
    pages = (os.path.join(each, "man1", "llmgwctl.1") for each in folders if each)
    return any(os.path.exists(page) for page in pages)


def man_page() -> str:
    """Write llmgwctl(1) in the man macros: `llmgwctl help --man | man -l -`."""
    lines = [
        f'.TH LLMGWCTL 1 "" "llmgw {__version__}" "User Commands"',
        ".SH NAME",
        r"llmgwctl \- show the state of llmgwd, and control it",
        ".SH SYNOPSIS",
        r".B llmgwctl",
        r"[\fIVERB\fR] [\fIOPTION\fR ...]",
        ".SH DESCRIPTION",
        _roff(_ABOUT),
    ]
    for group in dict.fromkeys(verb.group for verb in VERBS):
        lines.append(f'.SH "{group.upper()}"')
        for verb in VERBS:
            if verb.group == group:
                lines += _verb(verb)
    lines += [".SH EXIT STATUS", *_terms((str(int(code)), text) for code, text in _EXITS)]
    lines += [".SH ENVIRONMENT", *_terms(_ENVIRONMENT)]
    lines += [".SH SEE ALSO", ".BR kubectl (1)"]
    return "\n".join(lines) + "\n"


def _verb(verb: Verb) -> Iterator[str]:
    module = load(verb)
    parser = build(verb, module)
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    yield f'.SS "{_roff(usage)}"'
    yield _roff(parser.description or "")
    yield from _actions(parser)
    for command, does in examples_of(module.EXAMPLES, verb):
        yield from (".PP", ".nf", rf"    \fB{_roff(command)}\fR", f"        {_roff(does)}", ".fi")


def _actions(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                about = {each.dest: each.help or "" for each in action._choices_actions}
                yield from _terms([(name, about.get(name, ""))])
                yield from (".RS", *_actions(child), ".RE")
        elif not isinstance(action, argparse._HelpAction):
            name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            yield from _terms([(name, (action.help or "").replace("%%", "%"))])


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield from (".TP", rf"\fB{_roff(term)}\fR", _roff(text))


def _roff(text: str) -> str:
    """Escape: backslashes, hyphens (so that they can be copied), and dots that open a line."""
    escaped = (
        text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace('"', r"\(dq")
    )
    lines = [rf"\&{line}" if line.startswith((".", "'")) else line for line in escaped.split("\n")]
    return "\n".join(line if line else ".PP" for line in lines)
