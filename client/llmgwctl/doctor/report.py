"""The doctor's lines as text, and what they make the exit status. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmgwctl.wire import CheckState, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmgwctl.wire import CheckStatus

# Glyph, the same where the terminal has no UTF-8, and the colour.
_MARKS: dict[str, tuple[str, str, int]] = {
    CheckState.OK: ("✓", "ok", 32),
    CheckState.INFO: ("·", "--", 2),
    CheckState.WARNING: ("!", "!!", 33),
    CheckState.FAILED: ("✗", "XX", 31),
    CheckState.NEEDS_PERSON: ("✗", "XX", 31),
    CheckState.SKIPPED: ("–", "..", 2),
}
_NAME_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Style:
    is_coloured: bool
    is_ascii: bool = False


def line(check: CheckStatus, style: Style) -> str:
    """Give a check as text without a final newline: its line, then cause and remedy."""
    glyph, plain, colour = _MARKS.get(check["state"], ("?", "??", 0))
    mark = plain if style.is_ascii else glyph
    name = check["check"].replace("-", " ")
    head = f"{_paint(mark, colour, style)} {name:{_NAME_WIDTH}} {_found(check)}"
    return "\n".join([head.rstrip(), *_details(check, style)])


def _found(check: CheckStatus) -> str:
    if check["state"] == CheckState.SKIPPED and check["skipped_by"]:
        return f"skipped: {check['skipped_by'].replace('-', ' ')} failed"
    took = check["took_s"]
    return check["found"] if took is None else f"{check['found']} ({_took(took)})"


def _details(check: CheckStatus, style: Style) -> list[str]:
    """Indent what is read, and leave flush left what is pasted as several lines."""
    found = [f"    cause   {check['cause']}"] if check["cause"] else []
    remedy = check["remedy"]
    if "\n" in remedy:
        return [*found, "    remedy", _paint(remedy.strip("\n"), 1, style)]
    return [*found, f"    remedy  {_paint(remedy, 1, style)}"] if remedy else found


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _paint(text: str, colour: int, style: Style) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if style.is_coloured else text


def verdict(checks: Iterable[CheckStatus]) -> str:
    """Sum up in one line."""
    counts = Counter(check["state"] for check in checks)
    failed = counts[CheckState.FAILED] + counts[CheckState.NEEDS_PERSON]
    parts = [
        _counted(failed, "failed"),
        _counted(counts[CheckState.WARNING], "to look at"),
        _counted(counts[CheckState.SKIPPED], "skipped"),
    ]
    return ", ".join(part for part in parts if part) or "all well"


def _counted(number: int, words: str) -> str:
    return f"{number} {words}" if number else ""


def exit_status(checks: Iterable[CheckStatus]) -> int:
    """Follow the worst line: a person's turn beats a failure, a warning is none."""
    states = {check["state"] for check in checks}
    if CheckState.NEEDS_PERSON in states:
        return Exit.NEEDS_PERSON
    return Exit.NOT_SO if CheckState.FAILED in states else Exit.OK
