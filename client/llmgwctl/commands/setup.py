"""llmgwctl setup: have a program's own configuration lead it to the gateway."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.errors import ClientError
from llmgwctl.gateway import claude_settings, leading
from llmgwctl.gateway.destination import key_of, url_of
from llmgwctl.gateway.programs import avante, claude
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.gateway.programs.table import PROGRAMS as PROGRAMS_BY_NAME
from llmgwctl.rules.placeholder import PLACEHOLDER
from llmgwctl.setup import file, plan
from llmgwctl.setup.document import UnfitFile
from llmgwctl.setup.recipes import AVANTE, PROGRAMS, RECIPES, Recipe, Request
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

DESCRIPTION = """\
Write what leads a program to the gateway into the file that it reads, keep everything else there,
comments too, and show the difference. No key is written: the program takes it from `llmgwctl key`,
or from the variable that `llmgwctl env` sets. The file as it was is kept beside it. For
avante.nvim, whose file is a program, the lines are printed."""

EXAMPLES = (
    ("llmgwctl setup claude", "Claude Code's settings.json"),
    ("llmgwctl setup claude --status-line", "and the forward's state in its status line"),
    ("llmgwctl setup codex --model gpt-5", "Codex's config.toml, with one of the gateway's models"),
    ("llmgwctl setup claude --print", "only print it, for Home Manager or a colleague"),
    ("llmgwctl setup claude --undo", "take it back; what was changed since stays"),
)


# Claude Code writes its settings at times; each try takes milliseconds.
_TRIES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", choices=PROGRAMS, help="which program")
    parser.add_argument("--print", action="store_true", help="print what is needed; write nothing")
    parser.add_argument("--undo", action="store_true", help="take back what setup has written")
    parser.add_argument("--model", default="", metavar="NAME", help="the model it is to ask for")
    parser.add_argument(
        "--status-line",
        action="store_true",
        help="have Claude Code show the forward's state",
    )
    add_forward(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.undo:
        for recipe in RECIPES.get(arguments.program, ()):
            _undo(recipe, recipe.place(os.environ))
        return Exit.OK
    # First of all: it can take seconds, and the file must not have changed meanwhile.
    endpoint = _endpoint(arguments)
    if arguments.program == AVANTE:
        command = leading.key_command(arguments)
        print("\n".join(avante.lines(endpoint.url, arguments.model, command)))
        return Exit.OK
    for recipe in RECIPES[arguments.program]:
        act = _print if arguments.print else _do
        act(recipe, recipe.place(os.environ), endpoint, arguments)
    return Exit.OK


def _do(recipe: Recipe, path: str, endpoint: Endpoint, arguments: argparse.Namespace) -> None:
    for remaining in reversed(range(_TRIES)):
        try:
            texts = _written(recipe, path, endpoint, arguments)
        except file.Outrun:
            if not remaining:
                raise
        else:
            break
    if not texts.is_changed:
        print(f"{path} leads there already")
        return
    sys.stdout.write(plan.difference(texts, path))
    if recipe.note and endpoint.key != PLACEHOLDER:
        print(recipe.note)
    files = leading.settings_files([PROGRAMS_BY_NAME[recipe.name]])
    leading.say(leading.settings_against(files, endpoint, os.environ, arguments.model))


def _written(
    recipe: Recipe, path: str, endpoint: Endpoint, arguments: argparse.Namespace
) -> plan.Texts:
    """Edit the file as it is now; where that fails, nothing of it is left beside the file."""
    text = file.read(path)
    with _fit(path):
        request = _request(recipe, text or "", _surroundings(recipe), endpoint, arguments)
        edits = recipe.edits(request)
        texts = plan.done(text, recipe.format, edits)
    if not texts.is_changed:
        return texts
    file.check_writable(path)
    earlier = file.read(path + file.RECORD)
    if text is not None and earlier is None:
        file.write(path + file.BACKUP, text)
    file.write(path + file.RECORD, plan.recorded(edits, earlier))
    try:
        file.replace(path, text, texts.after or "")
    except ClientError:
        if earlier is None:
            _forget(path)
        else:
            file.write(path + file.RECORD, earlier)
        raise
    return texts


def _surroundings(recipe: Recipe) -> Mapping[str, str]:
    """Give what the program finds besides its own file: the shell, and what beats the shell."""
    if recipe.name != claude.PROGRAM.name:
        return os.environ
    return {**os.environ, **claude_settings.state_env(os.environ)}


def _print(recipe: Recipe, path: str, endpoint: Endpoint, arguments: argparse.Namespace) -> None:
    """Give the text of the file alone; where a program has several, each under its name."""
    edits = recipe.edits(_request(recipe, "", {}, endpoint, arguments))
    if len(RECIPES[recipe.name]) > 1:
        print(f"# {path}")
    sys.stdout.write(plan.done(None, recipe.format, edits).after or "")


@contextlib.contextmanager
def _fit(path: str) -> Iterator[None]:
    try:
        yield
    except UnfitFile as error:
        raise ClientError("file-unfit", f"{path} is left as it is: {error}") from error


def _forget(path: str) -> None:
    for kept in (file.RECORD, file.BACKUP):
        file.remove(path + kept)


def _undo(recipe: Recipe, path: str) -> None:
    """Needs no daemon: what was set is recorded beside the file."""
    record = file.read(path + file.RECORD)
    if record is None:
        print(f"{path} has nothing of it")
        return
    edits = plan.read_record(record)
    backup = file.read(path + file.BACKUP)
    with _fit(path):
        texts = plan.undone(file.read(path), backup, recipe.format, edits)
    file.check_writable(path)
    if texts.after is not None:
        file.replace(path, texts.before, texts.after)
    else:
        file.remove(path)
    _forget(path)
    sys.stdout.write(plan.difference(texts, path))


def _request(
    recipe: Recipe,
    text: str,
    environ: Mapping[str, str],
    endpoint: Endpoint,
    arguments: argparse.Namespace,
) -> Request:
    return Request(
        endpoint,
        environ,
        plan.document(text, recipe.format).get(()),
        leading.key_command(arguments),
        arguments.model,
        leading.status_command(arguments) if arguments.status_line else (),
        PLACEHOLDER if endpoint.key == PLACEHOLDER else "",
    )


def _endpoint(arguments: argparse.Namespace) -> Endpoint:
    """Find where to lead, the gateway's models, and whether programs hold its key at all."""
    client = Client(arguments.socket)
    forward = choose_gateway(client.status(), arguments.forward)
    endpoint = Endpoint(url_of(forward), models=leading.models_at_hand(client.path, forward))
    try:
        endpoint = endpoint._replace(key=key_of(client, forward)["key"])
    except ClientError as error:
        leading.say([f"the key cannot be had now: {error.text()}"])
    if endpoint.models is None:
        endpoint = endpoint._replace(models=leading.models_asked(endpoint))
    return endpoint
