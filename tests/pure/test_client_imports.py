"""The client runs on the standard library alone; only `setup` may use more."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

CLIENT = Path(__file__).parents[2] / "client" / "llmgwctl"
ALLOWED = sys.stdlib_module_names | {"llmgwctl"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_no_module_but_setups_imports_a_third_party_package() -> None:
    files = [path for path in CLIENT.rglob("*.py") if path.parent.name != "setup"]
    foreign = {
        (path.name, name)
        for path in files
        for name in imported(path)
        if name.partition(".")[0] not in ALLOWED
    }

    assert len(files) > 60
    assert foreign == set()
