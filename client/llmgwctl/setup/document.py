"""A configuration file as text that is edited by paths of keys; one kind a format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

Path = tuple[str, ...]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


# What `get` gives where nothing is, and, as a value to set, what takes away.
MISSING: Final = _Missing()


class Document(Protocol):
    """Comments, order and formatting of what is not touched stay."""

    def get(self, path: Path) -> Any:
        """Give the value at a path as plain data, or `MISSING`."""

    def put(self, path: Path, value: Any) -> None:
        """Set a value, its parents with it; raises UnfitFile where one of them is no table."""

    def drop(self, path: Path) -> None:
        """Take a value away, and parents that are empty then."""

    def text(self) -> str: ...


class UnfitFile(Exception):
    """The file is not what its program could read either; the text says what and where."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One value that a program needs at a path; `MISSING` where none may be."""

    path: Path
    value: Any


def apply(document: Document, edits: list[Edit]) -> None:
    for edit in edits:
        if edit.value is MISSING:
            document.drop(edit.path)
        elif document.get(edit.path) != edit.value:
            document.put(edit.path, edit.value)


def revert(document: Document, edits: list[Edit], before: Document) -> None:
    """Put back what was at each path before, and leave what was changed since."""
    for edit in edits:
        was = before.get(edit.path)
        if document.get(edit.path) not in (edit.value, MISSING):
            continue
        if was is MISSING:
            document.drop(edit.path)
        else:
            document.put(edit.path, was)


def set_plainly(held: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Give plain data with one value set, or with `MISSING` taken away, empty parents with it."""
    key, *rest = path
    if rest:
        inner = held.get(key)
        value = set_plainly(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)
        value = value or MISSING
    others = {name: each for name, each in held.items() if name != key}
    return others if value is MISSING else {**held, key: value}


def lookup(held: Any, path: Path) -> Any:
    """Follow a path through plain data."""
    for key in path:
        if not isinstance(held, Mapping) or key not in held:
            return MISSING
        held = held[key]
    return held
