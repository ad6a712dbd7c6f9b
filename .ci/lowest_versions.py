"""Prints a constraints file: exactly the lowest version that pyproject.toml allows of each package
that llmgw and its extras need when they run, for pip install --constraint.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

_FOR_DEVELOPMENT = ("bench", "test")
_LOWER_BOUND = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*>=\s*([0-9][0-9A-Za-z.]*)")


def lowest(requirement: str) -> str:
    """Turn "name[extra]>=1.2,<3" into "name==1.2"."""
    match = _LOWER_BOUND.match(requirement)
    if match is None:
        sys.exit(f"{requirement} has no lower bound")
    return f"{match[1]}=={match[2]}"


def main() -> None:
    pyproject = Path(__file__).parent.parent / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text())["project"]
    requirements = project["dependencies"]
    for extra, needed in project["optional-dependencies"].items():
        if extra not in _FOR_DEVELOPMENT:
            requirements += needed
    for requirement in requirements:
        print(lowest(requirement))


if __name__ == "__main__":
    main()
