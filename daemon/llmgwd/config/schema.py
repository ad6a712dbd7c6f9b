"""The shape of the configuration file: its tables and keys, and what is allowed at each.

msgspec checks this shape; what the values mean is judged in `file`. Imported only where there is a
file to read, because msgspec is not needed otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from llmgwctl.rules.nearest import nearest
from llmgwd.config.mistakes import ALLOWED, Mistake, Place
from llmgwd.config.model import Protocol


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class KeyTable(_Strict):
    env: str | None = None
    file: str | None = None
    command: list[str] | None = None
    secret: str | None = None


class ForwardTable(_Strict):
    name: str = "litellm"
    listen: str | int | list[str] = "localhost:4000"
    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    target: str | None = None
    port: int | str | None = None
    url: str | None = None
    fallback: str | list[str] = msgspec.field(default_factory=list[str])
    hold: str = "30s"
    hold_limit: int = 256
    probe: str = "litellm"
    probe_every: str = "10s"
    tunnels: int = 64
    protocol: Protocol = Protocol.AUTO
    allow: str | list[str] = msgspec.field(default_factory=list[str])
    hosts: list[str] = msgspec.field(default_factory=list[str])
    origins: list[str] = msgspec.field(default_factory=list[str])
    key: KeyTable | None = None
    inject: bool | None = None


class GatewayTable(_Strict):
    key: KeyTable | None = None
    inject: bool = False
    forwards: list[str] = msgspec.field(default_factory=list[str])


class MetricsTable(_Strict):
    listen: str | int | None = None
    allow: str | list[str] = msgspec.field(default_factory=list[str])


class LogTable(_Strict):
    level: Literal["debug", "info", "warning", "error"] = "info"


class File(_Strict):
    notify: bool = True
    forward: list[ForwardTable] | None = None
    gateway: GatewayTable = msgspec.field(default_factory=GatewayTable)
    metrics: MetricsTable = msgspec.field(default_factory=MetricsTable)
    log: LogTable = msgspec.field(default_factory=LogTable)


_TABLES: Final[Mapping[str, type[_Strict]]] = {
    "": File,
    "forward": ForwardTable,
    "forward.key": KeyTable,
    "gateway": GatewayTable,
    "gateway.key": KeyTable,
    "metrics": MetricsTable,
    "log": LogTable,
}


def keys() -> Iterator[str]:
    """Name every key of the file that holds a value, as in `ALLOWED`: "forward.port"."""
    for table, struct in _TABLES.items():
        for key in struct.__struct_fields__:
            path = f"{table}.{key}" if table else key
            if path not in _TABLES:
                yield path


def shaped(raw: Mapping[str, Any]) -> File:
    """Read what tomllib gave into the tables; raises Mistake."""
    try:
        return msgspec.convert(raw, File)
    except msgspec.ValidationError as error:
        raise _mistake_of_shape(str(error), raw) from error


def _mistake_of_shape(words: str, raw: Mapping[str, Any]) -> Mistake:
    """Say msgspec's finding in this file's own words, with the value and what is allowed."""
    found = re.search(r" - at `\$\.?(.*)`$", words)
    place = Place.parse(found[1] if found else "")
    unknown = re.match(r"Object contains unknown field `(.*?)`", words)
    if unknown is not None:
        return _unknown_key(place, unknown[1])
    return Mistake(place, place.look_up(raw), ALLOWED.get(place.pattern, words))


def _unknown_key(place: Place, key: str) -> Mistake:
    known = _TABLES[place.pattern].__struct_fields__
    near = nearest(key, known, limit=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return Mistake(place.under(key), None, f"{hint}allowed here: {', '.join(sorted(known))}")
