"""YAML of a kubeconfig as plain values, with the C parser where PyYAML has it.

`python -m llmgwd.cluster.kubeconfig.parsing BYTES FILE` prints them as JSON: a large file is parsed
by a process of its own, because a thread that parses holds the interpreter, and with it every
request, for milliseconds at a time. So this module imports nothing that takes long.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import sys
from typing import Any

import yaml

from llmgwctl.rules import regular_file
from llmgwd.cluster.kubeconfig import yaml_values
from llmgwd.system.plain_values import MAX_DEPTH, Malformed, plain

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
IS_FAST = _BASE is not yaml.SafeLoader
# UTF-8's is left for the parser's own rule; UTF-16's must be looked for first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


# What is no value of its kind: "!!int x", "!!binary" that is not base64.
_ODD_VALUES = (RecursionError, TypeError, ValueError)


class _Loader(_BASE):  # type: ignore[misc]
    """Takes words for what kubectl takes them, which reads YAML as JSON."""

    yaml_implicit_resolvers = yaml_values.RESOLVERS

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    # Called around each value. The C parser of older PyYAML calls itself for each level, until
    # the process ends with a full stack.
    def descend_resolver(self, parent: Any, index: Any) -> None:
        self._depth += 1
        if self._depth > 2 * MAX_DEPTH:
            raise Malformed(f"more than {MAX_DEPTH} values within each other")
        super().descend_resolver(parent, index)

    def ascend_resolver(self) -> None:
        self._depth -= 1
        super().ascend_resolver()


class NotYaml(Exception):
    """What is wrong and where, "LINE:COLUMN" or "". Never the text: it holds secrets."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem)
        self.where = where
        self.problem = problem


def read(path: str, most_bytes: int) -> object:
    """Parse a file: its first document, as kubectl does.

    Raises:
        NotYaml: with where and why. OSError, UnicodeDecodeError: it cannot be read, is no
            regular file, or is above `most_bytes`.
    """
    content = regular_file.read(path, most_bytes)
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return parse(content.removeprefix(mark).decode(encoding))
    return parse(content.decode())


def parse(text: str) -> object:
    """Raises NotYaml: with where and why."""
    try:
        if text.lstrip()[:1] == "{":
            # JSON is read as such, tabs and all; flow style that is not JSON is YAML's.
            with contextlib.suppress(ValueError):
                document = json.loads(text, parse_int=yaml_values.number)
                # Half a pair of surrogates is no letter.
                json.dumps(document, ensure_ascii=False).encode()
                return plain(document)
        loader = _Loader(text)
        try:
            if not loader.check_node():
                return None
            return plain(yaml_values.value_of(loader.get_node()))
        finally:
            loader.dispose()
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
    try:
        printed = {"document": read(path, most_bytes)}
    except NotYaml as mistake:
        printed = {"mistake": [mistake.where, mistake.problem]}
    # Not json.dump: that encodes piece by piece, in Python.
    sys.stdout.write(json.dumps(printed, allow_nan=False))


if __name__ == "__main__":
    _print_as_json(sys.argv[2], int(sys.argv[1]))
