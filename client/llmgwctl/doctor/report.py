"""The doctor's checks as text, and the exit status that follows from them. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from llmgwctl.rules.printable import clean, clean_lines
from llmgwctl.show.terminal import BOLD, DIM, GREEN, RED, YELLOW, Terminal, latency
from llmgwctl.wire import CheckState, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmgwctl.wire import CheckStatus

# Glyph, the same where the terminal has no UTF-8, and the colour.
_MARKS: dict[str, tuple[str, str, str]] = {
    CheckState.OK: ("✓", "ok", GREEN),
    CheckState.INFO: ("·", "--", DIM),
    CheckState.WARNING: ("!", "!!", YELLOW),
    CheckState.FAILED: ("✗", "XX", RED),
    CheckState.NEEDS_PERSON: ("✗", "XX", RED),
    CheckState.SKIPPED: ("–", "..", DIM),
}
_NAME_WIDTH = 12


def line(check: CheckStatus, terminal: Terminal) -> str:
    """Give a check as text without a final newline: its line, then cause and remedy."""
    glyph, plain, colour = _MARKS.get(check["state"], ("?", "??", BOLD))
    mark = plain if terminal.is_ascii else glyph
    name = clean(check["check"]).replace("-", " ")
    head = f"{terminal.paint(mark, colour)} {name:{_NAME_WIDTH}} {_found(check)}"
    return "\n".join([head.rstrip(), *_details(check, terminal)])


def _found(check: CheckStatus) -> str:
    if check["state"] == CheckState.SKIPPED and check["skipped_by"]:
        return clean(f"skipped: {check['skipped_by'].replace('-', ' ')} failed")
    took = check["took_s"]
    found = clean(check["found"])
    return found if took is None else f"{found} ({latency(took)})"


def _details(check: CheckStatus, terminal: Terminal) -> list[str]:
    """Indent what is read; a remedy of several lines is flush left, to be pasted."""
    found = [f"    cause   {clean(check['cause'])}"] if check["cause"] else []
    remedy = "\n".join(clean_lines(check["remedy"]))
    if "\n" in remedy:
        return [*found, "    remedy", terminal.paint(remedy, BOLD)]
    return [*found, f"    remedy  {terminal.paint(remedy, BOLD)}"] if remedy else found


def summary(checks: Iterable[CheckStatus]) -> str:
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
    """Follow the worst check: one that needs a person, then a failure; a warning is none."""
    states = {check["state"] for check in checks}
    if CheckState.NEEDS_PERSON in states:
        return Exit.NEEDS_PERSON
    return Exit.NOT_SO if CheckState.FAILED in states else Exit.OK
