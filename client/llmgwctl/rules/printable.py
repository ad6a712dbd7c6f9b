"""The one way out for text that others wrote: what could control a terminal is shown, not sent.

Escape sequences, C1, DEL, marks that turn the writing direction, and lone surrogates are written
as `\\x1b` and the like. Pure, and cheap for text that holds none of them.
"""

from __future__ import annotations


def clean(text: str) -> str:
    """Make one line of a text; white space of any kind is one space."""
    if text.isprintable():
        return text
    return _escaped(" ".join(text.split()))


def clean_lines(text: str) -> list[str]:
    """Clean each line of a text whose lines and indents matter."""
    return [_escaped(line) for line in text.strip("\n").expandtabs().split("\n")]


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _code(letter) for letter in text)


def _code(letter: str) -> str:
    number = ord(letter)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
