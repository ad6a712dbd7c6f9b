"""YAML of a kubeconfig as plain values, with the C parser where PyYAML has it.

`python -m llmgwd.cluster.kubeconfig_yaml BYTES FILE` prints them as JSON: a large file is parsed
by a process of its own, because a thread that parses holds the interpreter, and with it every
request, for milliseconds at a time. So this module imports nothing that takes long.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import yaml

from llmgwd.system import regular_file
from llmgwd.system.plain_values import Malformed, plain

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
IS_FAST = _BASE is not yaml.SafeLoader
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


# What PyYAML's constructors let through for "!!int x", 0x_, or thousands of digits.
_ODD_VALUES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _Loader(_BASE):  # type: ignore[misc]
    """Leaves times as they are written, as kubectl does, which reads YAML as JSON."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name and form
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in _BASE.yaml_implicit_resolvers.items()
    }


class NotYaml(Exception):
    """What is wrong and where, "LINE:COLUMN" or "". Never the text: it holds secrets."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem)
        self.where = where
        self.problem = problem


def parse(text: str) -> object:
    """Raises NotYaml: with where and why."""
    try:
        return plain(yaml.load(text, _Loader))  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        # Not chained: the parser quotes the lines around a mistake.
        mark = getattr(error, "problem_mark", None)
        where = f"{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise NotYaml(where, problem) from None
    except _ODD_VALUES:
        raise NotYaml("", "a value is not what its tag says, or too large") from None
    except Malformed as malformed:
        raise NotYaml("", f"holds {malformed}") from None


def dump(document: object) -> str:
    """Write a kubeconfig as YAML, its keys in the order that they came in."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(document, Dumper=dumper, default_flow_style=False, sort_keys=False)
    return text


def _print_as_json(path: str, most_bytes: int) -> None:
    text = regular_file.read(path, most_bytes).decode()
    try:
        printed = {"document": parse(text)}
    except NotYaml as mistake:
        printed = {"mistake": [mistake.where, mistake.problem]}
    # Not json.dump: that encodes piece by piece, in Python.
    sys.stdout.write(json.dumps(printed, allow_nan=False))


if __name__ == "__main__":
    _print_as_json(sys.argv[2], int(sys.argv[1]))
