"""JSON as many programs read their settings: with comments, and commas before a closing bracket."""

from __future__ import annotations

import json
import re
from typing import Any

_SPACE = r"(?:\s|//[^\n]*|/\*.*?\*/)*"
_TOKEN = re.compile(
    rf'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|,(?={_SPACE}[\]}}])',
    re.DOTALL,
)


def loads(text: str) -> Any:
    """Read a text; raises ValueError or RecursionError as `json.loads`."""
    bare = text.removeprefix("\ufeff")
    return json.loads(_TOKEN.sub(lambda found: found[0] if found[0][0] == '"' else " ", bare))
