"""What `setup` makes of a program's file, and of one that it made before: texts in, texts out."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import Any

from llmgwctl.rules.secrets import BLANK, blank_out
from llmgwctl.setup.document import MISSING, Document, Edit, UnfitFile, apply, revert, set_plainly
from llmgwctl.setup.recipes import DOTENV, JSON, PLAIN_JSON, TOML


@dataclass(frozen=True, slots=True)
class Texts:
    """Of one file; None where there is none. A picture of it could hold a person's keys."""

    before: str | None
    after: str | None

    def __repr__(self) -> str:
        return "Texts()"

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


def document(text: str, kind: str) -> Document:
    """Read a text in its format; each format's library is imported when it is needed.

    Raises:
        UnfitFile: it is none of that format.
    """
    text = _plain(text)
    if kind in (JSON, PLAIN_JSON):
        from llmgwctl.setup.json_document import JsonDocument

        return JsonDocument(text, is_strict=kind == PLAIN_JSON)
    if kind == TOML:
        from llmgwctl.setup.toml_document import TomlDocument

        return TomlDocument(text)
    if kind == DOTENV:
        from llmgwctl.setup.dotenv_document import DotenvDocument

        return DotenvDocument(text)
    from llmgwctl.setup.yaml_document import YamlDocument

    return YamlDocument(text)


def done(text: str | None, kind: str, edits: list[Edit]) -> Texts:
    """Make the edits, and prove that they changed nothing else.

    Raises:
        UnfitFile: the file cannot be edited so.
    """
    edited = document(text or "", kind)
    wanted = edited.get(())
    for edit in edits:
        wanted = set_plainly(wanted, edit.path, edit.value)
    apply(edited, edits)
    after = _ended_as(edited.text(), text)
    if document(after, kind).get(()) != wanted:
        raise UnfitFile("what it needs does not fit into its layout")
    return Texts(text, after)


_MARK = "\ufeff"


def _plain(text: str) -> str:
    """Give a text without a byte order mark, its lines ended by a newline alone."""
    bare = text.removeprefix(_MARK)
    return bare.replace("\r\n", "\n") if _has_crlf(bare) else bare


def _ended_as(text: str, before: str | None) -> str:
    """Give an edited text the mark and the ends of lines that it had."""
    before = before or ""
    mark = _MARK if before.startswith(_MARK) else ""
    return mark + (text.replace("\n", "\r\n") if _has_crlf(before) else text)


def _has_crlf(text: str) -> bool:
    return "\r\n" in text and text.count("\r\n") == text.count("\n")


def recorded(edits: list[Edit], earlier: str | None) -> str:
    """Give the text that `undone` needs: what is set now, and what earlier calls had set."""
    known = {edit.path: edit for edit in [*(read_record(earlier) if earlier else ()), *edits]}
    rows = [_row(edit) for edit in known.values()]
    return json.dumps(rows, indent=1) + "\n"


def _row(edit: Edit) -> list[Any]:
    path = list(edit.path)
    return [path] if edit.value is MISSING else [path, edit.value]


def read_record(text: str) -> list[Edit]:
    """Read what `recorded` gave; of a damaged record nothing is believed."""
    try:
        rows = json.loads(text)
        edits = [Edit(tuple(row[0]), row[1] if len(row) > 1 else MISSING) for row in rows]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []
    return edits if all(isinstance(key, str) for edit in edits for key in edit.path) else []


def undone(text: str | None, backup: str | None, kind: str, edits: list[Edit]) -> Texts:
    """Take the edits back: to the very backup where nothing else was changed since."""
    if text is None:
        return Texts(None, None)
    # Comments that the person has written since, which the program does not read, stay too.
    kind = JSON if kind == PLAIN_JSON else kind
    if done(backup, kind, edits).after == text:
        return Texts(text, backup)
    edited = document(text, kind)
    revert(edited, edits, document(backup or "", kind))
    return Texts(text, _ended_as(edited.text(), text))


def difference(texts: Texts, path: str) -> str:
    """Show what changes, without the keys that a file may hold."""
    lines = difflib.unified_diff(
        (texts.before or "").splitlines(keepends=True),
        (texts.after or "").splitlines(keepends=True),
        path,
        path,
    )
    whole = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return _NAMED_SECRET.sub(rf"\1{BLANK}", blank_out(whole))


# A value whose name says what it is, unless it only says where the key is.
_NAMED_SECRET = re.compile(
    r"(?im)((?:key|token|secret|password|headers)[\"']?\s*[:=]\s*)(?!\"?\{env:|\"\"|$)[^\n]+"
)
