"""YAML through ruamel.yaml, which keeps comments and quotes; imported by `setup` alone."""

from __future__ import annotations

import io
import re
from collections.abc import MutableMapping
from typing import Any

from ruamel.yaml import YAML

from llmgwctl.setup.document import MISSING, Path, UnfitFile, lookup

# ruamel's time grows with the square of the brackets that are open: 3,000 take 10 s.
_MAX_FLOW_DEPTH = 100
_INNER_KEY = re.compile(r"^[^\s#-][^\n]*:[ ]*\n( +)[^\s#-]", re.MULTILINE)
_INNER_ITEM = re.compile(r"^[^\s#-][^\n]*:[ ]*\n( *)- ", re.MULTILINE)


def _indent(pattern: re.Pattern[str], text: str, default: int) -> int:
    found = pattern.search(text)
    return len(found[1]) if found else default


class YamlDocument:
    """The settings of one file: a mapping, or nothing yet."""

    def __init__(self, text: str) -> None:
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        # Long lines stay whole.
        self._yaml.width = 1 << 16
        self._before = ""
        if _flow_depth(text) > _MAX_FLOW_DEPTH:
            raise UnfitFile("its values are nested too deep")
        try:
            held = self._yaml.load(text)
        except Exception as error:
            # Besides its own YAMLError it raises TypeError, KeyError, AttributeError and others.
            raise UnfitFile("it is no YAML") from error
        # The file's own way to indent, as its first mapping and its first list have it.
        step, offset = _indent(_INNER_KEY, text, 2), _indent(_INNER_ITEM, text, 0)
        self._yaml.indent(mapping=step, sequence=offset + 2, offset=offset)
        if held is None:
            # ruamel keeps no comments of a document without a value.
            self._before = text if not text or text.endswith("\n") else f"{text}\n"
            held = {}
        if not isinstance(held, MutableMapping):
            raise UnfitFile("it holds no settings")
        self._held: MutableMapping[str, Any] = held

    def get(self, path: Path) -> Any:
        return lookup(self._held, path)

    def put(self, path: Path, value: Any) -> None:
        held = self._held
        for key in path[:-1]:
            held = held.setdefault(key, {})
            if not isinstance(held, MutableMapping):
                raise UnfitFile(f"{key} holds no settings")
        held[path[-1]] = value

    def drop(self, path: Path) -> None:
        if self.get(path) is MISSING:
            return
        held = self._held
        for key in path[:-1]:
            held = held[key]
        del held[path[-1]]

    def text(self) -> str:
        if not self._held:
            return self._before
        stream = io.StringIO()
        self._yaml.dump(self._held, stream)
        return self._before + stream.getvalue()


def _flow_depth(text: str) -> int:
    """Count how many brackets are open at once, at the most; those in quotes are counted too."""
    depth = deepest = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth = max(depth - 1, 0)
    return deepest
