"""Whether a gateway offers a model, and which of its models to take where none is named. Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Words of the names of models that hold no conversation.
_NO_CHAT = re.compile(
    r"embed|rerank|whisper|transcri|tts|audio|realtime|image|dall-e|moderation|guard"
)


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


# The best at what most programs here do, which is to write code.
_FAMILIES = ("sonnet", "opus", "gpt", "gemini")


def preferred(offered: Iterable[str], families: Sequence[str] = _FAMILIES) -> str:
    """Choose for a program that names no model: the newest of the first family that is offered.

    "" where nothing is offered by name.
    """
    named = [name for name in offered if "*" not in name]
    chats = [name for name in named if not _NO_CHAT.search(name.lower())] or named
    for family in families:
        found = [name for name in chats if family in name.lower()]
        if found:
            return min(found, key=newest_first)
    return chats[0] if chats else ""


def newest_first(name: str) -> tuple[tuple[int, ...], int, str]:
    """Sort the highest version first, then the shortest name: an alias before a dated one."""
    bare = re.sub(r"-v\d+(:\d+)?$", "", name.rpartition("/")[2])
    words = re.split(r"[^0-9a-zA-Z]+", bare)
    version = tuple(int(word) for word in words if word.isdecimal() and len(word) <= 2)
    # A shorter version is the older one: 4 before 4.5; the padding keeps the order when negated.
    padded = (*version, 0, 0, 0)[:3]
    return tuple(-part for part in padded), len(name), name
