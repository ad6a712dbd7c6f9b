"""What must never be written anywhere: every secret the daemon knows, and what looks like one.

Whoever learns a secret registers it here before anybody else sees it. Logs, events and sentences
for people pass through `redact`.
"""

from __future__ import annotations

import re
from typing import Final

# Shorter ones would blank out ordinary words, and no gateway takes them for keys.
_LEAST_CHARACTERS: Final = 8
_LOOKS_SECRET: Final = re.compile(
    r"(?i:\bbearer\s+)[^\s\"',;]+"
    r"|\bsk-[A-Za-z0-9_-]{6,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,2}"  # a JSON web token
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password of a URL
    r"|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))"
)
_BLANK: Final = "[secret]"

_known: set[str] = set()


def register(value: str) -> None:
    """Never write this value from here on."""
    value = value.strip()
    if len(value) >= _LEAST_CHARACTERS:
        _known.add(value)


def redact(text: str) -> str:
    """Blank out every secret in a text."""
    for value in _known:
        if value in text:
            text = text.replace(value, _BLANK)
    return _LOOKS_SECRET.sub(_BLANK, text)
