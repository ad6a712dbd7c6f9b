"""llmgwctl setup: have a program's own configuration lead it to the gateway."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.errors import ClientError
from llmgwctl.gateway import leading
from llmgwctl.gateway.destination import key_of, url_of
from llmgwctl.gateway.programs import avante
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.gateway.programs.table import PROGRAMS as PROGRAMS_BY_NAME
from llmgwctl.rules.placeholder import PLACEHOLDER
from llmgwctl.setup import file, plan
from llmgwctl.setup.document import UnfitFile
from llmgwctl.setup.recipes import AVANTE, PROGRAMS, RECIPES, Recipe, Request
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

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
    if arguments.program == AVANTE:
        url, command = _endpoint(arguments).url, leading.key_command(arguments)
        print("\n".join(avante.lines(url, arguments.model, command)))
        return Exit.OK
    for recipe in RECIPES[arguments.program]:
        path = recipe.place(os.environ)
        try:
            if arguments.undo:
                _undo(recipe, path)
            elif arguments.print:
                _print(recipe, path, arguments)
            else:
                _do(recipe, path, arguments)
        except UnfitFile as error:
            raise ClientError("file-unfit", f"{path} is left as it is: {error}") from error
    return Exit.OK


def _do(recipe: Recipe, path: str, arguments: argparse.Namespace) -> None:
    text = file.read(path)
    request = _request(recipe, text or "", os.environ, arguments)
    edits = recipe.edits(request)
    texts = plan.done(text, recipe.format, edits)
    if not texts.is_changed:
        print(f"{path} leads there already")
        return
    file.check_writable(path)
    earlier = file.read(path + file.RECORD)
    if text is not None and earlier is None:
        file.write(path + file.BACKUP, text)
    file.write(path + file.RECORD, plan.recorded(edits, earlier))
    file.write(path, texts.after or "")
    sys.stdout.write(plan.difference(texts, path))
    if recipe.note and not request.placeholder:
        print(recipe.note)
    files = leading.settings_files([PROGRAMS_BY_NAME[recipe.name]])
    leading.say(leading.settings_against(files, request.endpoint, os.environ, arguments.model))


def _print(recipe: Recipe, path: str, arguments: argparse.Namespace) -> None:
    """Give the text of the file alone; where a program has several, each under its name."""
    edits = recipe.edits(_request(recipe, "", {}, arguments))
    if len(RECIPES[recipe.name]) > 1:
        print(f"# {path}")
    sys.stdout.write(plan.done(None, recipe.format, edits).after or "")


def _undo(recipe: Recipe, path: str) -> None:
    """Needs no daemon: what was set is recorded beside the file."""
    record = file.read(path + file.RECORD)
    if record is None:
        print(f"{path} has nothing of it")
        return
    edits = plan.read_record(record)
    backup = file.read(path + file.BACKUP)
    texts = plan.undone(file.read(path), backup, recipe.format, edits)
    file.check_writable(path)
    if texts.after is not None:
        file.write(path, texts.after)
    else:
        file.remove(path)
    for kept in (file.RECORD, file.BACKUP):
        file.remove(path + kept)
    sys.stdout.write(plan.difference(texts, path))


def _request(
    recipe: Recipe, text: str, environ: Mapping[str, str], arguments: argparse.Namespace
) -> Request:
    endpoint = _endpoint(arguments)
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
