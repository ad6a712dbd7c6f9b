"""What kubectl takes YAML's nodes for: the values of goyaml, as JSON has them. Pure.

Not PyYAML's constructors: they make dates, sets and bytes, and refuse a tag that they do not know.
goyaml takes what stands under such a tag for what it is without one.
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any, Final

from yaml import MappingNode, Node, ScalarNode, SequenceNode

_TAG: Final = "tag:yaml.org,2002:"
# What a word without quotes is, in the order of sigs.k8s.io/yaml (goyaml.v2, resolve.go), by the
# letters that it may begin with. Everything else is text: times, and numbers to the base of 60.
_WORDS: Final = (
    ("null", "~nN\0", r"~|null|Null|NULL|"),
    (
        "bool",
        "yYnNtTfFoO",
        r"[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|"
        r"true|True|TRUE|false|False|FALSE",
    ),
    (
        "int",
        "+-0123456789",
        r"[-+]?(?:0[bB][01_]+|0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0|[1-9][0-9_]*)",
    ),
    (
        "float",
        "+-.0123456789",
        r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|"
        r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    ),
    ("merge", "<", r"<<"),
)
_PATTERNS: Final = {_TAG + kind: re.compile(rf"(?:{words})\Z") for kind, _, words in _WORDS}
# For PyYAML's resolver: by the first letter, the tags that a word may have.
RESOLVERS: Final[dict[str | None, list[tuple[str, re.Pattern[str]]]]] = {}
for _kind, _letters, _ in _WORDS:
    for _letter in _letters:
        _tags = RESOLVERS.setdefault("" if _letter == "\0" else _letter, [])
        _tags.append((_TAG + _kind, _PATTERNS[_TAG + _kind]))

_TRUE: Final = frozenset(("y", "yes", "on", "true"))
_INT64, _UINT64 = 1 << 63, 1 << 64


def value_of(node: Node) -> Any:
    """The value of a document's node; what an alias stands for is one value, seen several times.

    Raises:
        ValueError: a word that is not what its tag says, a key that JSON cannot have, or a value
            within itself.
    """
    return _Values().of(node)


def number(digits: str) -> int | float | str:
    """A whole number; one beyond 64 bits is a float as in Go, one beyond that as well is text.

    Raises:
        ValueError: it is none.
    """
    # Python limits the digits that it reads into a whole number.
    if len(digits) < 40 and -_INT64 <= (value := int(digits)) < _UINT64:
        return value
    rounded = float(digits)
    return rounded if math.isfinite(rounded) else digits


class _Values:
    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._under_way: set[int] = set()

    def of(self, node: Node) -> Any:
        if isinstance(node, ScalarNode):
            return _scalar(node)
        known = id(node)
        if known in self._made:
            return self._made[known]
        if known in self._under_way:
            raise ValueError("an anchor that contains itself")
        self._under_way.add(known)
        if isinstance(node, SequenceNode):
            made: Any = [self.of(item) for item in node.value]
        else:
            assert isinstance(node, MappingNode)
            made = self._mapping(node)
        self._under_way.remove(known)
        self._made[known] = made
        return made

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in node.value:
            # In the order of the text, unlike YAML's own rule: a merge replaces what came before.
            if key.tag == f"{_TAG}merge":
                made |= self._merged(value)
            else:
                made[_key(key)] = self.of(value)
        return made

    def _merged(self, node: Node) -> dict[str, Any]:
        """What `<<` brings in: a mapping, or a list of them of which the first counts most."""
        nodes = reversed(node.value) if isinstance(node, SequenceNode) else [node]
        made: dict[str, Any] = {}
        for each in nodes:
            if not isinstance(each, MappingNode):
                raise TypeError("a merge of what is no mapping")
            made |= self.of(each)
        return made


def _scalar(node: ScalarNode) -> Any:
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if kind == "binary":
        return base64.b64decode(text).decode()
    if kind not in ("null", "bool", "int", "float"):
        return text
    is_whole = _PATTERNS[f"{_TAG}int"].match(text)
    if not (_PATTERNS[node.tag].match(text) or (kind == "float" and is_whole)):
        raise ValueError(f"not of the kind {kind}")
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    return _whole(text) if kind == "int" else _float(text)


def _whole(text: str) -> int | float | str:
    digits = text.replace("_", "").lower()
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits.lstrip("+"))
    if digits[0] != "0" or digits == "0":
        return number(sign + digits)
    is_octal = digits[1].isdigit()
    if len(digits) == 2 and not is_octal:
        return text
    value = int(sign + digits, 8 if is_octal else 0)
    if -_INT64 <= value < _UINT64:
        return value
    return float(sign + digits) if is_octal else text


def _float(text: str) -> float | str:
    word = text.lower().replace("_", "")
    if word.endswith(("inf", "nan")):
        return float(word.replace(".", ""))
    value = float(word)
    # Go's ParseFloat refuses what is too large, and so it is text.
    return value if math.isfinite(value) else text


def _key(node: Node) -> str:
    """A key as JSON has it."""
    value = _scalar(node) if isinstance(node, ScalarNode) else None
    if value is None:
        raise ValueError("a key that is no text")
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
