"""Label and field selectors, as lists and watches take them."""

from __future__ import annotations

import re
from typing import Any

Object = dict[str, Any]
_SET = re.compile(r"^(?P<key>[^\s()!=,]+)\s+(?P<word>in|notin)\s+\((?P<values>[^)]*)\)$")


def matches(item: Object, labels: str, fields: str) -> bool:
    """Raises:
    ValueError: a selector that cannot be read.
    """
    return _labels_match(item["metadata"].get("labels", {}), labels) and _fields_match(item, fields)


def _requirements(selector: str) -> list[str]:
    # Commas inside parentheses belong to a set.
    return [part.strip() for part in re.split(r",(?![^(]*\))", selector) if part.strip()]


def _labels_match(labels: dict[str, str], selector: str) -> bool:
    return all(_label_matches(labels, part) for part in _requirements(selector))


def _label_matches(labels: dict[str, str], part: str) -> bool:
    found = _SET.match(part)
    if found:
        values = {value.strip() for value in found["values"].split(",")}
        return (labels.get(found["key"]) in values) == (found["word"] == "in")
    if "!=" in part:
        key, _, value = part.partition("!=")
        return labels.get(key.strip()) != value.strip()
    if "=" in part:
        key, _, value = part.replace("==", "=").partition("=")
        return labels.get(key.strip()) == value.strip()
    return part[1:] not in labels if part.startswith("!") else part in labels


def _fields_match(item: Object, selector: str) -> bool:
    for part in _requirements(selector):
        is_negated = "!=" in part
        path, _, value = part.replace("!=", "=").replace("==", "=").partition("=")
        if (_field(item, path) == value) == is_negated:
            return False
    return True


def _field(item: Object, path: str) -> str:
    """The text at a dotted path.

    Raises:
        ValueError: the server selects by other fields only.
    """
    if not path.startswith(("metadata.", "spec.", "status.", "involvedObject.", "reason", "type")):
        raise ValueError(f"field label not supported: {path}")
    value: Any = item
    for name in path.split("."):
        value = value.get(name, "") if isinstance(value, dict) else ""
    return str(value)
