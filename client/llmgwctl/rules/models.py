"""Whether a gateway offers a model of a given name: its list may hold wildcards. Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_offered(name: str, offered: Iterable[str]) -> bool:
    """Say whether a gateway's list has a model: by name, or by an entry such as anthropic/*."""
    bare = without_suffix(name)
    return any(each == bare or ("*" in each and _fits(bare, each)) for each in offered)


def _fits(name: str, wildcard: str) -> bool:
    # Only the star is LiteLLM's; brackets and question marks stand for themselves.
    escaped = re.sub(r"[\[?]", lambda found: f"[{found[0]}]", wildcard)
    return fnmatchcase(name, escaped)


def without_suffix(name: str) -> str:
    """Take off [1m], by which Claude Code asks for the long context; it is never sent."""
    return re.sub(r"\[1m\]$", "", name.strip(), flags=re.IGNORECASE)
