"""A .env file: one variable a line, other lines as they are."""

from __future__ import annotations

import re
import shlex
from typing import Any

from llmgwctl.setup.document import MISSING, Path

_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$")


class DotenvDocument:
    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        if not self._lines[-1]:
            self._lines.pop()

    def get(self, path: Path) -> Any:
        if not path:
            found = [_LINE.match(line) for line in self._lines]
            return {each[1]: each[2].strip("'\"") for each in found if each is not None}
        place = self._place(path)
        if place is None:
            return MISSING
        line = _LINE.match(self._lines[place])
        assert line is not None
        return line[2].strip("'\"")

    def put(self, path: Path, value: Any) -> None:
        line = f"{path[0]}={shlex.quote(str(value))}"
        place = self._place(path)
        if place is None:
            self._lines.append(line)
        else:
            self._lines[place] = line

    def drop(self, path: Path) -> None:
        place = self._place(path)
        if place is not None:
            del self._lines[place]

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def _place(self, path: Path) -> int | None:
        """Find the line of a variable; of several the last one counts."""
        (name,) = path
        places = [
            number
            for number, line in enumerate(self._lines)
            if (found := _LINE.match(line)) and found[1] == name
        ]
        return places[-1] if places else None
