"""The read-mes as data: their links, what stands in back-ticks, and their blocks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
_FOLDERS = (".", ".github", "daemon", "client", "systemd", "launchd", "tests")
READMES = sorted(path for each in _FOLDERS for path in (ROOT / each).glob("*.md"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")


def blocks(text: str, language: str) -> list[str]:
    """Give the fenced blocks of a language."""
    return [found[2] for found in _FENCE.finditer(text) if found[1] == language]


def spans(text: str) -> list[str]:
    """Give what stands in back-ticks within sentences and tables."""
    return _SPAN.findall(_FENCE.sub("", text).replace("\\|", "|"))


def code_lines(text: str) -> Iterator[str]:
    """Give each line that a person would type, without its comment: of `sh` blocks and of
    indented ones.
    """
    found = [*blocks(text, "sh"), *_INDENTED.findall(_FENCE.sub("", text))]
    for block in found:
        for line in block.splitlines():
            yield re.sub(r"\s#.*", "", line).strip()


def links(text: str) -> list[str]:
    """Give the targets of links that lead to this tree."""
    found = re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text))
    return [each for each in found if "://" not in each]


def anchors(path: Path) -> set[str]:
    """Give the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
