"""TOML through tomlkit, which keeps comments and layout; imported by `setup` alone."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError

from llmgwctl.setup.document import Path, UnfitFile, lookup


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
        table: MutableMapping[str, Any] = self._document
        *parents, last = path
        for depth, key in enumerate(parents):
            if key not in table:
                # Only the innermost gets a heading of its own.
                table[key] = tomlkit.table(is_super_table=depth < len(parents) - 1)
            table = cast("MutableMapping[str, Any]", table[key])
            if not isinstance(table, MutableMapping):
                raise UnfitFile(f"{'.'.join(parents[: depth + 1])} is no table")
        if table is self._document and last not in table:
            self._put_first(last, value)
        else:
            table[last] = value

    def _put_first(self, key: str, value: Any) -> None:
        """Add a key of the file's own before its first table, which would take it otherwise."""
        text = self._document.as_string()
        lines = text.splitlines(keepends=True)
        place = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), None)
        item = tomlkit.document()
        item[key] = value
        if place is None:
            self._document[key] = value
            return
        while place > 0 and lines[place - 1].lstrip().startswith("#"):
            place -= 1
        gap = "\n" if place == 0 else ""
        lines.insert(place, item.as_string() + gap)
        self._document = tomlkit.parse("".join(lines))

    def drop(self, path: Path) -> None:
        if self.get(path) == lookup({}, path):
            return
        *parents, last = path
        tables: list[MutableMapping[str, Any]] = [self._document]
        for key in parents:
            tables.append(cast("MutableMapping[str, Any]", tables[-1][key]))
        del tables[-1][last]
        for depth in range(len(parents), 0, -1):
            if not tables[depth]:
                del tables[depth - 1][parents[depth - 1]]

    def text(self) -> str:
        return self._document.as_string()
