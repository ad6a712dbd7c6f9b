"""The folders above a program's own, in which it looks for its files."""

from __future__ import annotations

import os


def up_to_repository(folder: str) -> tuple[list[str], bool]:
    """List a folder and those above it, up to the root of its git repository, and say whether it is
    in one: else they go up to the root of all.
    """
    passed = [folder]
    while not os.path.exists(os.path.join(passed[-1], ".git")):
        above = os.path.dirname(passed[-1])
        if above == passed[-1]:
            return passed, False
        passed.append(above)
    return passed, True
