"""Where a mistake in the configuration is, and what would be allowed there: pure wording."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_TEXT = "text in quotes"
_DURATION = 'a duration such as "30s", "500ms" or "2m"'
_URL = 'an address such as "https://litellm.example.net"'

# What is allowed at each key, for the end of the sentence "…; allowed: …".
_KEY: Final = (
    'exactly one of env = "NAME", file = "PATH", command = ["PROGRAM", …] '
    'and secret = "NAME/KEY", in braces'
)
_KEY_SOURCES: Final = {
    "env": "the name of an environment variable, in quotes",
    "file": f"the path of a file, {_TEXT}",
    "command": 'a list of words, such as ["pass", "litellm"]',
    "secret": 'a Secret of the cluster and a key in it, such as "litellm-secrets/KEY"',
}
ALLOWED: Final[Mapping[str, str]] = {
    "forward": "tables that begin with [[forward]]",
    "forward.name": "1 to 63 letters, digits, dots, dashes or underscores, in quotes",
    "forward.listen": (
        '"localhost:4000", an IP address and a port from 1 to 65535 such as "127.0.0.1:4000" '
        'or "[::1]:4000", or a list of these'
    ),
    "forward.context": f"the name of a context of the kubeconfig, {_TEXT}",
    "forward.kubeconfig": f"the path of a kubeconfig, {_TEXT}",
    "forward.namespace": "the name of a namespace: lower case letters, digits and dashes",
    "forward.target": (
        '"service/NAME", "deployment/NAME", "statefulset/NAME", "pod/NAME" '
        'or a label selector such as "app=litellm"'
    ),
    "forward.port": "a port from 1 to 65535, or the name of a port in quotes",
    "forward.url": _URL,
    "forward.fallback": f"{_URL}, or a list of these",
    "forward.hold": f"{_DURATION}, at most 24h",
    "forward.hold_limit": "a number from 0 to 65536",
    "forward.probe": '"litellm", "tcp", "off" or a path such as "/health"',
    "forward.probe_every": f"{_DURATION}, from 1s to 1h",
    "forward.tunnels": "a number from 1 to 1024",
    "forward.protocol": '"auto", "http" or "tcp"',
    "forward.allow": '"anyone", or a list of users such as ["caddy"]',
    "forward.hosts": 'a list of host names without ports, such as ["gateway.example.net"]',
    "forward.origins": 'a list of origins such as ["app://chat.example"] or ["https://example.net"]',
    "forward.key": _KEY,
    **{f"forward.key.{name}": allowed for name, allowed in _KEY_SOURCES.items()},
    "forward.inject": "true or false",
    "notify": "true or false",
    "gateway": "a table that begins with [gateway]",
    "gateway.key": _KEY,
    **{f"gateway.key.{name}": allowed for name, allowed in _KEY_SOURCES.items()},
    "gateway.inject": "true or false",
    "gateway.forwards": 'a list of names of forwards, such as ["dashboard"]',
    "metrics": "a table that begins with [metrics]",
    "metrics.listen": 'an address of this machine such as "127.0.0.1:9400"',
    "metrics.allow": '"anyone", or a list of users such as ["prometheus"]',
    "log": "a table that begins with [log]",
    "log.level": '"debug", "info", "warning" or "error"',
}


@dataclass(frozen=True, slots=True)
class Place:
    """A key of the file: "forward", 1, "port" is the port of the second forward."""

    table: str = ""
    index: int | None = None
    key: str = ""

    @staticmethod
    def parse(path: str) -> Place:
        """Read msgspec's "forward[1].port", "gateway.key.env" or ""."""
        match = re.fullmatch(r"forward\[(\d+)\](?:\.(\w+))?.*", path)
        if match is not None:
            return Place("forward", int(match[1]), match[2] or "")
        table, _, key = re.sub(r"\[.*", "", path).rpartition(".")
        return Place(table, None, key) if table else Place(key)

    def under(self, key: str) -> Place:
        return Place(self.table, self.index, f"{self.key}.{key}" if self.key else key)

    @property
    def pattern(self) -> str:
        """The key without the number of its table, as in `ALLOWED`."""
        return ".".join(part for part in (self.table, self.key) if part)

    def __str__(self) -> str:
        """People count from one."""
        table = self.table if self.index is None else f"{self.table}[{self.index + 1}]"
        return ".".join(part for part in (table, self.key) if part)

    def look_up(self, raw: Mapping[str, Any]) -> object:
        """Find what the file has there, or None."""
        found: Any = raw
        for step in self._steps():
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def _steps(self) -> list[str | int]:
        index = [] if self.index is None else [self.index]
        keys = self.key.split(".") if self.key else []
        return [*(part for part in self.table.split(".") if part), *index, *keys]


class Mistake(Exception):
    """A value that is not allowed; `found` None: nothing to show."""

    def __init__(self, place: Place, found: object, allowed: str) -> None:
        super().__init__(str(place))
        self.place = place
        self.found = found
        self.allowed = allowed


def located(mistake: Mistake, text: str, path: str) -> str:
    """Word a mistake as one line: file, line, key, value, what is allowed."""
    line = _line_of(mistake.place, text)
    where = path if line is None else f"{path}:{line}"
    if mistake.found is None:
        return f"{where}: {mistake.place} is not allowed; {mistake.allowed}"
    # Somebody may have written the key itself there.
    is_secret = mistake.place.pattern.startswith(("gateway.key", "forward.key"))
    shown = "not what it should be" if is_secret else _shown(mistake.found)
    return f"{where}: {mistake.place} is {shown}; allowed: {mistake.allowed}"


def _shown(value: object) -> str:
    """The value as TOML would have it, cut where it is long."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def _line_of(place: Place, text: str) -> int | None:
    """Find the line of the key, else of its table, in the text: tomllib gives no positions."""
    key = place.key.partition(".")[0] or place.table.rpartition(".")[2]
    wanted = place.table if place.key else place.table.rpartition(".")[0]
    heading = re.compile(r"\s*(\[\[?)\s*([\w.]+)\s*\]\]?")
    assignment = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[.=]""")
    around, _, braces = place.table.rpartition(".")
    inline = re.compile(rf"\s*{re.escape(braces)}\s*=\s*\{{")
    table, count, found = "", -1, None
    for number, line in enumerate(text.splitlines(), 1):
        head = heading.match(line)
        if head is not None:
            table = head[2]
            count += head[1] == "[["
        if place.index not in (None, count) or (place.index is not None and table != place.table):
            continue
        if head is not None and table in (place.table, place.pattern):
            found = number
        elif table == wanted and assignment.match(line):
            return number
        elif place.key and table == around and inline.match(line):
            found = number
    return found
