"""What client/README.md names exists: paths, routes of the API, commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from llmgwctl.cli.arguments import build, load
from llmgwctl.cli.verbs import find
from llmgwctl.wire import ApiPath, Exit

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "client" / "README.md").read_text()
# Of a verb that is still to be written.
PLACEHOLDER = "llmgwctl/commands/NAME.py"
# What a path is relative to.
FOLDERS = (ROOT, ROOT / "client")


def test_every_file_that_it_names_exists() -> None:
    named = set(re.findall(r"`((?:llmgwctl|daemon|tests)/[\w./]+)`", TEXT)) - {PLACEHOLDER}

    assert len(named) > 25
    missing = [path for path in named if not any((each / path).exists() for each in FOLDERS)]
    assert missing == []


def test_every_room_is_named() -> None:
    rooms = {path.parent.name for path in (ROOT / "client/llmgwctl").glob("*/__init__.py")}

    assert {room for room in rooms if f"`llmgwctl/{room}/`" not in TEXT} == set()


def test_every_route_of_the_api_is_named_and_no_other() -> None:
    named = set(re.findall(r"`(?:GET|POST) (\S+)`", TEXT))

    assert named == {value for name, value in vars(ApiPath).items() if name.isupper()}


def test_every_command_is_one_that_its_verb_takes() -> None:
    lines = re.findall(r"^    llmgwctl (.+)$", TEXT, re.MULTILINE)

    assert lines
    for line in lines:
        name, *words = shlex.split(line.partition("|")[0])
        verb = find(name)
        assert verb is not None
        build(verb, load(verb)).parse_args(words)


def test_every_exit_status_is_named() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("Exit statuses:"))

    assert set(map(int, re.findall(r"\d+", line))) | {Exit.INTERRUPTED} == {
        value for name, value in vars(Exit).items() if name.isupper()
    }
