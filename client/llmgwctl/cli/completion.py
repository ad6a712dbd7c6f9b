"""What may come next on a command line, from the same parsers that read it.

The shells' scripts only call `llmgwctl __complete WORDS…` and show its lines: a word, a tab, its
meaning. So every shell knows every verb and option, and the forwards that exist now.
"""

from __future__ import annotations

import argparse
import shutil
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose_gateway
from llmgwctl.cli.arguments import build, load
from llmgwctl.cli.verbs import VERBS, find
from llmgwctl.errors import ClientError
from llmgwctl.gateway.leading import models_at_hand
from llmgwctl.gateway.programs.table import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A daemon answers in milliseconds; a person who pressed Tab does not wait longer.
_ASK_S = 0.5
Proposals = list[tuple[str, str]]

SCRIPTS = {
    "bash": """\
_llmgwctl() {
    local line word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\\t'*}")
    done < <(llmgwctl __complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" "$word" 2>/dev/null)
}
complete -o default -F _llmgwctl llmgwctl
""",
    "zsh": """\
#compdef llmgwctl
_llmgwctl() {
    local line
    local -a proposals
    while IFS= read -r line; do
        proposals+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
    done < <(llmgwctl __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( $#proposals )); then
        _describe llmgwctl proposals
    else
        _files
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _llmgwctl "$@"
else
    compdef _llmgwctl llmgwctl
fi
""",
    "fish": """\
function __llmgwctl_complete
    set -l words (commandline -opc)[2..]
    set -l found (llmgwctl __complete $words (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c llmgwctl -f -a '(__llmgwctl_complete)'
""",
}


def complete(words: Sequence[str], socket: str | None = None) -> Proposals:
    """Propose the last of `words`; nothing where a file name may stand, or nothing fits."""
    *before, last = words or [""]
    if not before:
        verbs = [(verb.name, verb.summary) for verb in VERBS]
        return [pair for pair in verbs if pair[0].startswith(last)]
    verb = find(before[0])
    if verb is None:
        return []
    try:
        parser: argparse.ArgumentParser = build(verb, load(verb))
    except ImportError:
        return []
    return [pair for pair in _next(parser, before[1:], last, socket) if pair[0].startswith(last)]


def _next(
    parser: argparse.ArgumentParser, before: Sequence[str], last: str, socket: str | None
) -> Proposals:
    positionals = [each for each in parser._actions if not each.option_strings]
    pending: argparse.Action | None = None  # the option whose value comes next
    for n, word in enumerate(before):
        if pending is not None:
            pending = None
        elif word == "--":
            # What follows is another program's command line: its name, and then its own words.
            return _programs(positionals) if n + 1 == len(before) else []
        elif word.startswith("-"):
            option = _option(parser, word)
            if option is not None and option.nargs != 0 and "=" not in word:
                pending = option
        elif positionals:
            position = positionals[0]
            if isinstance(position, argparse._SubParsersAction):
                chosen = position.choices.get(word)
                return _next(chosen, before[n + 1 :], last, socket) if chosen else []
            if position.nargs not in ("*", "+", argparse.REMAINDER):
                positionals.pop(0)
    if pending is not None:
        return _values(pending, socket)
    if last.startswith("-"):
        return list(_options(parser))
    return _values(positionals[0], socket) if positionals else list(_options(parser))


def _option(parser: argparse.ArgumentParser, word: str) -> argparse.Action | None:
    name = word.partition("=")[0]
    return next((each for each in parser._actions if name in each.option_strings), None)


def _options(parser: argparse.ArgumentParser) -> Iterable[tuple[str, str]]:
    for action in parser._actions:
        # The long form says what it is.
        for name in action.option_strings[-1:]:
            yield name, _help(action)


def _values(action: argparse.Action, socket: str | None) -> Proposals:
    if isinstance(action, argparse._SubParsersAction):
        return [(each.dest, each.help or "") for each in action._choices_actions]
    if action.choices is not None:
        return [(str(choice), "") for choice in action.choices]
    if action.dest == "forward":
        return _forwards(socket)
    return _models(socket) if action.dest in ("check", "model") else []


def _programs(positionals: Sequence[argparse.Action]) -> Proposals:
    """Propose the programs that we know how to lead, of those that are installed."""
    if not any(each.nargs == argparse.REMAINDER for each in positionals):
        return []
    known = [(command, each.title) for each in PROGRAMS.values() for command in each.commands]
    return [pair for pair in known if shutil.which(pair[0])]


def _models(socket: str | None) -> Proposals:
    client = Client(socket, timeout_s=_ASK_S)
    try:
        forward = choose_gateway(client.status(), None)
    except ClientError:
        return []
    return [(name, "") for name in models_at_hand(client.path, forward) or ()]


def _forwards(socket: str | None) -> Proposals:
    try:
        status = Client(socket, timeout_s=_ASK_S).status()
    except ClientError:
        return []
    return [(each["name"], each["state"]) for each in status["forwards"]]


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")
