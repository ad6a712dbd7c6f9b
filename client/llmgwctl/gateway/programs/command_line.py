"""What the words of a program's command line name, and the same words with another value. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def option(words: Sequence[str], *names: str) -> str:
    """Give the value of an option, "" where it is not given; behind `--` is none."""
    return "".join(value for _, _, value in _found(words, names)[-1:])


def with_option(words: Sequence[str], name: str, value: str) -> list[str]:
    """Give the words with an option's last value replaced, or with the option put first."""
    for start, end, _ in _found(words, (name,))[-1:]:
        return [*words[:start], name, value, *words[end:]]
    return [name, value, *words]


def _found(words: Sequence[str], names: Sequence[str]) -> list[tuple[int, int, str]]:
    """Give each place of an option, where what follows it starts, and its value."""
    found = []
    end = words.index("--") if "--" in words else len(words)
    for place, word in enumerate(words[:end]):
        name, equals, value = word.partition("=")
        if name not in names:
            continue
        if equals:
            found.append((place, place + 1, value))
        elif place + 1 < end:
            found.append((place, place + 2, words[place + 1]))
    return found
