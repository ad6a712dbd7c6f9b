"""All that the daemons of this run of the suite logged, to be searched for every key it used.

A key is known by its form (those of gateways and of simulated clusters have one) or because the
test that uses it says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_KEYS_BY_FORM = re.compile(
    r"""\bsk-[A-Za-z0-9_-]{6,}              # the gateway's
    | \bdemo-[A-Za-z0-9_-]{32}\b            # tokens that the simulated cluster issues
    | \beyJ[A-Za-z0-9_-]{8,}                # JSON web tokens
    | (?i:\bbearer\s+)[^\s"'<\[{]+[^\s"',;]*
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY""",
    re.VERBOSE,
)


@dataclass
class Searched:
    """What a search found; it travels from a worker of the suite as a dictionary of plain data."""

    log_count: int = 0
    line_count: int = 0
    # Where a key was written; the key itself is not said again.
    leaks: list[str] = field(default_factory=list)

    def add(self, other: Searched) -> None:
        self.log_count += other.log_count
        self.line_count += other.line_count
        self.leaks += other.leaks


@dataclass
class WrittenLogs:
    keys: set[str] = field(default_factory=set)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def uses(self, *keys: str) -> None:
        """Name keys that a test uses and whose form does not tell."""
        self.keys.update(keys)

    def collect(self, origin: str, text: str) -> None:
        if text:
            self.texts.append((origin, text))

    def collect_files(self, folder: Path) -> None:
        """Take every log below a folder, and the events that were kept on disk."""
        logs = {*folder.glob("log*"), *folder.glob("*.log"), *folder.rglob("*.jsonl*")}
        for path in sorted(logs):
            if path.is_file():
                self.collect(str(path), path.read_text(errors="replace"))

    def searched(self) -> Searched:
        leaks = [
            f"{origin}:{number}: a key of {len(found)} characters: {line.replace(found, '…')[:200]}"
            for origin, text in self.texts
            for number, line in enumerate(text.splitlines(), 1)
            for found in self._found(line)
        ]
        lines = sum(text.count("\n") for _, text in self.texts)
        return Searched(len(self.texts), lines, leaks)

    def _found(self, line: str) -> list[str]:
        by_form = _KEYS_BY_FORM.findall(line)
        return [*by_form, *(key for key in self.keys if key in line)]


LOGS = WrittenLogs()
