"""daemon/CONFIGURATION.md names every key of the file, and its defaults are those that hold."""

from __future__ import annotations

import re
from pathlib import Path

from llmgwd.config import schema
from llmgwd.config.file import parse

REFERENCE = Path(__file__).parents[3] / "daemon" / "CONFIGURATION.md"


def test_the_reference_names_every_key_of_the_file_and_no_other() -> None:
    assert sorted(_keys()) == sorted(schema.keys())


def test_its_defaults_are_those_that_hold_without_a_file() -> None:
    text = "".join(
        f"{table}\n" + "".join(f"{key} = {value}\n" for key, value in defaults.items())
        for table, defaults in _defaults().items()
    )

    assert parse(text, "x") == parse("", "x")


def _keys() -> list[str]:
    return [f"{table.strip('[]')}.{key}".removeprefix(".") for table, key, _ in _rows()]


def _defaults() -> dict[str, dict[str, str]]:
    """Give the keys with a default, by the heading of their table."""
    found: dict[str, dict[str, str]] = {}
    for table, key, cells in _rows():
        if len(cells) == 3 and cells[1]:
            found.setdefault(table, {})[key] = cells[1].strip("`")
    return found


def _rows() -> list[tuple[str, str, list[str]]]:
    """Give table, key and the cells after it, of each row of the reference."""
    table, rows = "", []
    for line in REFERENCE.read_text().splitlines():
        if heading := re.fullmatch(r"## `(.+)`", line):
            table = heading[1]
        elif heading := re.fullmatch(r"### `(.+)`", line):
            table = f"{table.strip('[]')}.{heading[1]}"
        elif row := re.fullmatch(r"\| `(\w+)` \| (.*) \|", line):
            rows.append((table, row[1], [cell.strip() for cell in row[2].split("|")]))
    return rows
