"""Each remedy is a command that can be pasted as it stands, or a sentence; never both in one line.

Read from the source: what is given as the remedy of an error, a condition or a check, wherever it
is written down.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import llmgwd
from llmgwctl.cli.arguments import parse
from llmgwctl.cli.verbs import find

ROOT = Path(llmgwd.__file__).parent
# Where a remedy stands among the arguments.
PLACES = {
    "LlmgwError": 2,
    "Blocked": 2,
    "Transient": 2,
    "NotFound": 2,
    "Unauthorized": 2,
    "Forbidden": 2,
    "Denied": 2,
    "Unattended": 2,
    "ConfigError": 1,
    "mistake": 2,
    "failure": 2,
    "warning": 2,
    "Finding": 3,
    "of_config": 2,
    "Trouble": 3,
}
GIVES_ONE = re.compile(rf"\b(?:{'|'.join(PLACES)})\(|\bremedy=")
PROGRAMS = ("kubectl", "llmgwctl", "llmgwd", "kill", "chmod", "pip")


def texts(node: ast.expr) -> Iterator[str]:
    """Give what a remedy may read; what is put into it is written as X."""
    match node:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "X" for p in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from texts(value)


def remedies(path: Path) -> Iterator[tuple[int, str]]:
    """Give the remedies of a file, each with its line."""
    tree = ast.parse(path.read_text())
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        found = _given(node)
        if isinstance(found, ast.Name):
            found = constants.get(found.id)
        for text in texts(found) if found is not None else ():
            yield node.lineno, text


def _given(call: ast.Call) -> ast.expr | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "remedy"]
    if named:
        return named[0]
    function = call.func
    name = getattr(function, "id", None) or getattr(function, "attr", "")
    place = PLACES.get(name)
    return call.args[place] if place is not None and len(call.args) > place else None


@pytest.fixture(scope="module")
def found() -> list[tuple[str, str]]:
    """All remedies and where they are. Not parameters: to parse the daemon's files would take each
    worker of the suite, before its first test, half a second.
    """
    files = [path for path in sorted(ROOT.rglob("*.py")) if GIVES_ONE.search(path.read_text())]
    return [
        (f"{path.relative_to(ROOT)}:{line}: {text}", text)
        for path in files
        for line, text in remedies(path)
    ]


def test_the_remedies_were_found(found: list[tuple[str, str]]) -> None:
    assert len(found) > 50


def test_a_remedy_that_is_a_command_can_be_pasted(found: list[tuple[str, str]]) -> None:
    for where, text in found:
        if not text.startswith(PROGRAMS):
            continue
        words = shlex.split(text)
        assert not text.endswith((".", "?")), where
        assert not {"or", "and", "NAME", "…"} & {word.strip(",;:") for word in words}, where
        if words[0] == "llmgwctl":
            verb = find(words[1])
            assert verb is not None, where
            parse(verb, words[2:])


def test_a_remedy_that_is_no_command_is_a_sentence(found: list[tuple[str, str]]) -> None:
    for where, text in found:
        if text.startswith(PROGRAMS):
            continue
        assert re.match(r"[A-Z]", text), where
        # A rule of a Role stands at the end of its sentence, to be copied.
        assert text.endswith((".", "X")), where
        assert "; " not in text, where
        assert not re.search(rf": (?:{'|'.join(PROGRAMS)}) ", text), where
