"""What a person probably meant: known names by how much they are like one that is not known."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# difflib's own threshold for a close match.
_NEAR = 0.6


def nearest(name: str, known: Sequence[str], limit: int = 3) -> list[str]:
    """List the near misses, best first; none where nothing is near."""
    near = [each for each in known if _likeness(name, each) >= _NEAR]
    return by_likeness(name, near)[:limit]


def by_likeness(name: str, known: Iterable[str]) -> list[str]:
    """Sort all that is known, the most like first: for a list of what there is."""
    return sorted(known, key=lambda each: (-_likeness(name, each), each))


def _likeness(name: str, known: str) -> float:
    """Rate from 0 to 2: the same but for case, then what was abbreviated, then the spelling.

    A provider's prefix does not count: `claude-sonnet` is near `anthropic/claude-sonnet-4`.
    """
    wanted, found = _bare(name), _bare(known)
    if wanted == found:
        return 2.0
    ratio = difflib.SequenceMatcher(None, found, wanted).ratio()
    if wanted and wanted in found:
        return 1.0 + ratio
    # Longer than what is known: near, but a slip of spelling is nearer.
    return max(ratio, _NEAR) if found and found in wanted else ratio


def _bare(name: str) -> str:
    return name.rpartition("/")[2].casefold()
