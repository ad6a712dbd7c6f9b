"""TOML through tomlkit, which keeps comments and layout; imported by `setup` alone."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError

from llmgwctl.setup.document import MISSING, Path, UnfitFile, lookup, set_plainly

_Table = MutableMapping[str, Any]


class TomlDocument:
    def __init__(self, text: str) -> None:
        try:
            self._document = tomlkit.parse(text)
        except TOMLKitError as error:
            raise UnfitFile(f"it is no TOML: {error}") from error
        except (ValueError, RecursionError) as error:
            # A number of thousands of digits, or as many brackets.
            raise UnfitFile("it holds values too large or too deep to be read") from error

    def get(self, path: Path) -> Any:
        return lookup(self._document.unwrap(), path)

    def put(self, path: Path, value: Any) -> None:
        for depth in range(1, len(path)):
            held = self.get(path[:depth])
            if held is not MISSING and not isinstance(held, dict):
                raise UnfitFile(f"{'.'.join(path[:depth])} is no table")
        self._edit(path, value)

    def drop(self, path: Path) -> None:
        if self.get(path) is not MISSING:
            self._edit(path, MISSING)

    def text(self) -> str:
        return self._document.as_string()

    def _edit(self, path: Path, value: Any) -> None:
        """Try each layout, and keep the first that says what it should and nothing else.

        A heading for a new table does not fit everywhere: within an inline table, or between keys
        that are written with dots, where tomlkit (0.15) would make the next keys part of it.
        """
        wanted = set_plainly(self.get(()), path, value)
        for new_table in (tomlkit.table, tomlkit.inline_table):
            draft = tomlkit.parse(self.text())
            try:
                draft = _edited(draft, path, value, new_table)
                is_right = tomlkit.parse(draft.as_string()).unwrap() == wanted
            except (TOMLKitError, ValueError, LookupError):
                continue
            if is_right:
                self._document = tomlkit.parse(draft.as_string())
                return
        raise UnfitFile(f"{'.'.join(path)} cannot be written into its layout")


def _edited(
    document: tomlkit.TOMLDocument, path: Path, value: Any, new_table: Callable[..., Any]
) -> tomlkit.TOMLDocument:
    *parents, last = path
    tables: list[_Table] = [document]
    for depth, key in enumerate(parents):
        if key not in tables[-1]:
            # Only the innermost gets a heading of its own.
            is_outer = new_table is tomlkit.table and depth < len(parents) - 1
            tables[-1][key] = tomlkit.table(is_super_table=True) if is_outer else new_table()
        tables.append(cast("_Table", tables[-1][key]))
    if value is MISSING:
        del tables[-1][last]
        for depth in range(len(parents), 0, -1):
            if not tables[depth]:
                del tables[depth - 1][parents[depth - 1]]
    elif len(tables) == 1 and last not in document:
        return _put_first(document, last, value)
    else:
        tables[-1][last] = value
    return document


def _put_first(document: tomlkit.TOMLDocument, key: str, value: Any) -> tomlkit.TOMLDocument:
    """Add a key of the file's own before its first table, which would take it otherwise."""
    lines = document.as_string().splitlines(keepends=True)
    place = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), None)
    if place is None:
        document[key] = value
        return document
    while place > 0 and lines[place - 1].lstrip().startswith("#"):
        place -= 1
    while place > 0 and not lines[place - 1].strip():
        place -= 1
    item = tomlkit.document()
    item[key] = value
    gap = "\n" if lines[place].strip() else ""
    lines.insert(place, item.as_string() + gap)
    return tomlkit.parse("".join(lines))
