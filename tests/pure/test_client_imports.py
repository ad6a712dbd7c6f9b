"""The client runs on the standard library alone; only `setup` may use more."""

from __future__ import annotations

import ast
import subprocess
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


def test_what_a_new_shell_calls_imports_nothing_slow() -> None:
    """Together these take as long as all that `llmgwctl env` does besides."""
    slow = {"dataclasses", "http.client", "inspect", "pathlib", "ssl", "subprocess"}
    code = "import sys, llmgwctl.commands.env, llmgwctl.commands.key; print(*sys.modules)"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert slow & set(ended.stdout.split()) == set()
