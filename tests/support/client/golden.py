"""Golden files: what a person sees, kept as it should be seen. LLMGW_GOLDEN=write renews them."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "cli" / "golden"


def check(name: str, text: str) -> None:
    """Compare with a golden file; show both in full where they differ."""
    path = FOLDER / name
    if os.environ.get("LLMGW_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
