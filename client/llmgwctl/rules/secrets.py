"""What looks like a secret, and how it is blanked out: the one rule of both sides.

Pure and strict: a word too many that is blanked out costs nothing, a key in a log costs a key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BLANK = "[secret]"

_LOOKS_SECRET = re.compile(
    r"(?i:\bbearer\s+)[^\s\"',;\\]+"
    # LiteLLM's keys. It also abbreviates them as sk-...abcd. Three characters or fewer are no key:
    # its sentences name the prefix itself, and "sk-1" is a word in many of them.
    r"|\bsk-[A-Za-z0-9_.-]{4,}"
    # LiteLLM names a key by its SHA-256 too, and that finds the key's spend.
    r"|(?i:\bkey hash)[^=\n]{0,12}=\s*[0-9a-f.]+"
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,2}"  # a JSON web token
    r"|(?<=://)[^/\s:@\"\\]+:[^/\s@\"\\]+(?=@)"  # user and password of a URL
    r"|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))"
)


def blank_out(text: str, known: Iterable[str] = ()) -> str:
    """Replace the known secrets, and what looks like one."""
    for value in known:
        if value and value in text:
            text = text.replace(value, BLANK)
    return _LOOKS_SECRET.sub(BLANK, text)
