"""Reads the configuration file, and names each mistake in one line.

A mistake says file and line, the key's path, what was found and what is allowed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from llmgwctl.rules import regular_file
from llmgwd.config import key_source, schema, values
from llmgwd.config.forward_table import forward
from llmgwd.config.gateway_keys import read_key_source, with_keys
from llmgwd.config.mistakes import Mistake, Place, located
from llmgwd.config.model import (
    Config,
    ForwardConfig,
    GatewayConfig,
    ListenAddress,
    MetricsConfig,
    default_forward,
)
from llmgwd.errors import ConfigError

if TYPE_CHECKING:
    from llmgwd.config.key_source import KeySource


_BEYOND = "holds values too large or too deep to be read"


def read(path: str) -> Config:
    """Read a configuration file; where there is none, give what needs no configuration.

    Raises:
        ConfigError: the file cannot be read, or holds a mistake; one line that says all.
    """
    try:
        text = regular_file.read(path).decode()
    except FileNotFoundError:
        return Config(path, is_present=False, forwards=(default_forward(),))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    return parse(text, path)


def parse(text: str, path: str) -> Config:
    """Turn the text of a configuration file into a configuration; `path` is for the sentences."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or as many brackets: tomllib has no error for these.
        raise ConfigError(f"{path}: {_BEYOND}") from error
    try:
        return _build(schema.shaped(raw), path)
    except Mistake as mistake:
        raise ConfigError(located(mistake, text, path)) from mistake
    except RecursionError as error:  # from writing the value that was found
        raise ConfigError(f"{path}: {_BEYOND}") from error


def _build(file: schema.File, path: str) -> Config:
    folder = os.path.dirname(os.path.abspath(path))
    gateway = _gateway(file.gateway, folder)
    return Config(
        path=path,
        is_present=True,
        forwards=with_keys(_forwards(file.forward, folder), gateway, file),
        gateway=gateway,
        metrics=_metrics(file.metrics),
        log_level=file.log.level,
        notify=file.notify,
    )


def _forwards(tables: list[schema.ForwardTable] | None, folder: str) -> tuple[ForwardConfig, ...]:
    if tables is None:
        return (default_forward(),)
    found = tuple(
        forward(table, Place("forward", index), folder) for index, table in enumerate(tables)
    )
    _refuse_doubles(found)
    return found


def _gateway(table: schema.GatewayTable, folder: str) -> GatewayConfig:
    source: KeySource = key_source.DEFAULT
    if table.key is not None:
        source = read_key_source(table.key, Place("gateway.key"), folder)
    return GatewayConfig(source, table.inject, tuple(table.forwards))


def _metrics(table: schema.MetricsTable) -> MetricsConfig | None:
    place = Place("metrics")
    allow = values.allow(place, table.allow)
    if table.listen is None:
        return None
    address = values.addresses(place, "listen", table.listen)[0]
    is_loopback = address.host == "::1" or address.host.startswith("127.")
    values.check(place, "listen", table.listen, is_loopback)
    return MetricsConfig(address, allow)


def _refuse_doubles(forwards: Iterable[ForwardConfig]) -> None:
    names: dict[str, int] = {}
    addresses: dict[ListenAddress, str] = {}
    for index, each in enumerate(forwards):
        place = Place("forward", index)
        if each.name in names:
            raise Mistake(
                place.under("name"),
                each.name,
                f"a name of its own: forward[{names[each.name] + 1}] is called that",
            )
        names[each.name] = index
        for address in each.listen:
            if address in addresses:
                raise Mistake(
                    place.under("listen"),
                    str(address),
                    f'an address of its own: forward "{addresses[address]}" listens there',
                )
            addresses[address] = each.name
