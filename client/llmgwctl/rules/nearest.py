"""What a person probably meant: the known names nearest to one that is not known."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def nearest(name: str, known: Sequence[str], limit: int = 3) -> list[str]:
    """List near misses, best first: the same but for case, then a part of one, then spelling.

    A provider's prefix does not count: `claude-sonnet` is near `anthropic/claude-sonnet-4`.
    """
    wanted = _bare(name)
    by_case = [
        each for each in known if each.casefold() == name.casefold() or _bare(each) == wanted
    ]
    by_part = [
        each for each in known if wanted and (wanted in _bare(each) or _bare(each) in wanted)
    ]
    spelled = difflib.get_close_matches(wanted, [_bare(each) for each in known], limit, 0.6)
    by_spelling = [each for close in spelled for each in known if _bare(each) == close]
    return list(dict.fromkeys([*by_case, *by_part, *by_spelling]))[:limit]


def _bare(name: str) -> str:
    return name.rpartition("/")[2].casefold()
