"""What must never be written anywhere: every secret the daemon knows, and what looks like one.

Code that learns a secret registers it here before it passes the secret on. Logs, events and
sentences for people pass through `redact`.
"""

from __future__ import annotations

from typing import Final

from llmgwctl.rules.secrets import blank_out, written_forms

# Shorter ones would blank out ordinary words, and no gateway takes them for keys.
_LEAST_CHARACTERS: Final = 8

_known: set[str] = set()


def register(value: str) -> None:
    """Never write this value from here on."""
    value = value.strip()
    if len(value) >= _LEAST_CHARACTERS:
        _known.update(written_forms(value))


def redact(text: str) -> str:
    """Blank out every secret in a text."""
    return blank_out(text, _known)
