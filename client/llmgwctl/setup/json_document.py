"""JSON, with comments and trailing commas where a program reads them, edited in its own text.

No library keeps the comments of JSON, so the text is scanned for where each member lies, and only
those spans are replaced.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from llmgwctl.setup.document import Path, UnfitFile, lookup

_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCALAR = re.compile(r"[^\s,\]}/]+")
_REMARK = re.compile(r"[ \t]*(?://[^\n]*|/\*[^\n]*?\*/)")
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class _Node:
    """A value from `start` to `end`; `members` of an object, by key, each with its key's start."""

    start: int
    end: int
    value: Any
    members: dict[str, tuple[int, _Node]] = field(default_factory=dict)


class JsonDocument:
    """`is_strict`: its program takes nothing from a file with comments or trailing commas."""

    def __init__(self, text: str, *, is_strict: bool = False) -> None:
        self._text = text if text.strip() else "{}\n"
        if is_strict:
            _check_plain(self._text)
        self._root = _scan(self._text)
        if not isinstance(self._root.value, dict):
            raise UnfitFile("it holds no object")

    def get(self, path: Path) -> Any:
        return lookup(self._root.value, path)

    def put(self, path: Path, value: Any) -> None:
        node, depth = self._deepest(path)
        rest = path[depth:]
        if not rest:
            self._replace(node.start, node.end, self._dumped(value, self._unit * depth))
            return
        if not isinstance(node.value, dict):
            raise UnfitFile(f"{'.'.join(path[:depth]) or 'the file'} is no object")
        for key in reversed(rest[1:]):
            value = {key: value}
        self._insert(node, depth, rest[0], value)

    def drop(self, path: Path) -> None:
        node, depth = self._deepest(path)
        if depth < len(path):
            return
        # An object that held nothing else goes with it.
        while len(path) > 1 and len(self._deepest(path[:-1])[0].members) == 1:
            path = path[:-1]
        parent, _ = self._deepest(path[:-1])
        key_start, node = parent.members[path[-1]]
        self._cut(key_start, node.end, parent)

    def text(self) -> str:
        return self._text

    def _deepest(self, path: Path) -> tuple[_Node, int]:
        """Give the last node of a path that is there, and how many keys led to it."""
        node = self._root
        for depth, key in enumerate(path):
            if key not in node.members:
                return node, depth
            node = node.members[key][1]
        return node, len(path)

    def _insert(self, node: _Node, depth: int, key: str, value: Any) -> None:
        if not node.members:
            indent = self._unit * (depth + 1)
            inside = self._text[node.start + 1 : node.end - 1].rstrip()
            member = self._member(key, value, indent)
            text = f"{{{inside}\n{indent}{member}\n{self._unit * depth}}}"
            self._replace(node.start, node.end, text)
            return
        key_start, last = list(node.members.values())[-1]
        after = _skip(self._text, last.end)
        has_comma = self._text.startswith(",", after)
        end = after + 1 if has_comma else last.end
        beside = self._indent_at(key_start)
        member = self._member(key, value, beside or "")
        if beside is None:
            self._replace(end, end, f" {member}," if has_comma else f", {member}")
            return
        # What is said of the last member on its own line stays there.
        remark = _REMARK.match(self._text, end)
        place = remark.end() if remark else end
        between = self._text[end:place]
        before, behind = ("", ",") if has_comma else (",", "")
        self._replace(end, place, f"{before}{between}\n{beside}{member}{behind}")

    def _member(self, key: str, value: Any, indent: str) -> str:
        return f"{json.dumps(key)}: {self._dumped(value, indent)}"

    def _dumped(self, value: Any, indent: str) -> str:
        text = json.dumps(value, indent=self._unit, ensure_ascii=False)
        return text.replace("\n", f"\n{indent}")

    @property
    def _unit(self) -> str:
        """The file's own step of indentation, as its first member has it."""
        first = next(iter(self._root.members.values()), None)
        return (self._indent_at(first[0]) if first else None) or _INDENT

    def _indent_at(self, position: int) -> str | None:
        """Give what stands before a key on its line; None where something else does."""
        before = self._text[self._text.rfind("\n", 0, position) + 1 : position]
        return before if before.isspace() or not before else None

    def _cut(self, start: int, end: int, parent: _Node) -> None:
        """Take a member out with one comma: the one after it, else the one before it."""
        after = _skip(self._text, end)
        if self._text.startswith(",", after):
            start = self._line_start(start)
            end = after + 1
            if self._text.startswith("\n", end) and self._is_line_start(start):
                end += 1
        else:
            others = [node for _, node in parent.members.values() if node.end < start]
            start = self._with_break(start)
            if others:
                # The comma before goes; what is said of that member on its line stays.
                comma = _skip(self._text, others[-1].end)
                kept = self._text[comma + 1 : start]
                self._replace(comma, end, kept)
                return
        self._replace(start, end, "")

    def _with_break(self, position: int) -> int:
        """Go back to the end of the line before, where nothing but indentation is between."""
        start = self._line_start(position)
        return start - 1 if start > 0 and self._text[start - 1] == "\n" else position

    def _line_start(self, position: int) -> int:
        indent = self._indent_at(position)
        return position if indent is None else position - len(indent)

    def _is_line_start(self, position: int) -> bool:
        return position == 0 or self._text[position - 1] == "\n"

    def _replace(self, start: int, end: int, piece: str) -> None:
        self._text = self._text[:start] + piece + self._text[end:]
        self._root = _scan(self._text)


def _check_plain(text: str) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        reason = "its program reads no comments and no trailing commas"
        raise UnfitFile(f"line {error.lineno} is no JSON: {reason}") from None
    except (ValueError, RecursionError):
        raise UnfitFile("it is no JSON that can be read") from None


def _scan(text: str) -> _Node:
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    try:
        node = _value(text, start)
    except RecursionError:
        raise UnfitFile("its values are nested too deep") from None
    if _skip(text, node.end) != len(text):
        raise _unfit(text, node.end)
    return node


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _value(text: str, start: int) -> _Node:
    if text.startswith("{", start):
        return _object(text, start)
    if text.startswith("[", start):
        return _array(text, start)
    found = (_STRING if text.startswith('"', start) else _SCALAR).match(text, start)
    if found is None:
        raise _unfit(text, start)
    return _Node(start, found.end(), _decoded(text, found))


def _decoded(text: str, found: re.Match[str]) -> Any:
    try:
        return json.loads(found[0])
    except ValueError:
        raise _unfit(text, found.start()) from None


def _object(text: str, start: int) -> _Node:
    members: dict[str, tuple[int, _Node]] = {}
    position = _skip(text, start + 1)
    while not text.startswith("}", position):
        key = _STRING.match(text, position)
        if key is None:
            raise _unfit(text, position)
        colon = _skip(text, key.end())
        if not text.startswith(":", colon):
            raise _unfit(text, colon)
        node = _value(text, _skip(text, colon + 1))
        members[_decoded(text, key)] = position, node
        position = _next(text, node.end, "}")
    value = {name: node.value for name, (_, node) in members.items()}
    return _Node(start, position + 1, value, members)


def _array(text: str, start: int) -> _Node:
    values = []
    position = _skip(text, start + 1)
    while not text.startswith("]", position):
        node = _value(text, position)
        values.append(node.value)
        position = _next(text, node.end, "]")
    return _Node(start, position + 1, values)


def _next(text: str, end: int, closing: str) -> int:
    """Step over a comma, which may be the last thing before the end."""
    position = _skip(text, end)
    if text.startswith(",", position):
        return _skip(text, position + 1)
    if not text.startswith(closing, position):
        raise _unfit(text, position)
    return position


def _unfit(text: str, position: int) -> UnfitFile:
    line = text.count("\n", 0, position) + 1
    return UnfitFile(f"line {line} is no JSON")
