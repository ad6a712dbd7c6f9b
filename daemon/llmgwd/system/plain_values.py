"""Which values from outside are passed on, whatever format they were written in, and how large.

Apart from `foreign`, because this needs no library: a child process imports it for one file.
"""

from __future__ import annotations

from typing import Any, Final

# Kubernetes objects are some 15 deep, and LiteLLM's answers below 10.
MAX_DEPTH: Final = 64
# A list of 200 large pods has some 100,000; an alias of YAML can stand for any number.
MAX_VALUES: Final = 1_000_000
# What 64 bits hold: no number of Kubernetes, LiteLLM or ours is larger.
_MAX_INTEGER: Final = 1 << 64

_PLAIN: Final = (str, int, float, bool, type(None))


class Malformed(Exception):
    """These bytes are not what they should be; the sentence quotes nothing of them."""


def plain(value: Any) -> Any:
    """Give back a value made of mappings, lists, texts and numbers alone, within the limits.

    Raises:
        Malformed: another kind of value in it, or one too deep (so is what holds itself), too
            many, or too large.
    """
    level, values = [value], 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.keys()
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif type(each) not in _PLAIN:
                raise Malformed(f"a value of type {type(each).__name__}")
            elif isinstance(each, int) and not -_MAX_INTEGER < each < _MAX_INTEGER:
                raise Malformed("a number beyond 64 bits")
            if values + len(below) > MAX_VALUES:
                raise Malformed(f"more than {MAX_VALUES} values")
        if not below:
            return value
        values += len(below)
        level = below
    raise Malformed(f"more than {MAX_DEPTH} values within each other")
