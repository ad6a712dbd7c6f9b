"""What opencode (1.18) finds in its configuration files, merged as it merges them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from llmgwctl.gateway.programs.folders import up_to_repository
from llmgwctl.rules import jsonc, regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = ("opencode.json", "opencode.jsonc")


def held(environ: Mapping[str, str], folder: str) -> dict[str, Any]:
    """Read all files that are there; one that cannot be read says nothing."""
    merged: dict[str, Any] = {}
    for path in places(environ, folder):
        try:
            read = jsonc.loads(regular_file.read_text(path))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(read, dict):
            merged = merge(merged, read)
    return merged


def places(environ: Mapping[str, str], folder: str) -> list[str]:
    """List where its files may be, the one that wins last."""
    home = environ.get("HOME") or "~"
    person = os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"))
    passed, _ = up_to_repository(folder)
    above = passed[::-1]
    found = [os.path.join(person, "opencode", name) for name in ("config.json", *_NAMES)]
    found += [environ["OPENCODE_CONFIG"]] if environ.get("OPENCODE_CONFIG") else []
    found += [os.path.join(each, name) for each in above for name in _NAMES]
    own = [os.path.join(each, ".opencode") for each in (home, *above)]
    own += [environ["OPENCODE_CONFIG_DIR"]] if environ.get("OPENCODE_CONFIG_DIR") else []
    return found + [os.path.join(each, name) for each in own for name in _NAMES]


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        was = merged.get(key)
        if isinstance(was, dict) and isinstance(value, dict):
            value = merge(was, value)
        merged[key] = value
    return merged
