"""Reads the configuration file, and names each mistake in one line.

A mistake says file and line, the key's path, what was found and what is allowed. msgspec checks
the shape, this file the meaning; neither is imported where there is no file to read.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from llmgwctl.rules.nearest import nearest
from llmgwd.config.model import (
    ClusterRoute,
    Config,
    ForwardConfig,
    GatewayConfig,
    KeySource,
    ListenAddress,
    Probe,
    Protocol,
    UrlRoute,
    default_forward,
    localhost,
)
from llmgwd.config.target import DEFAULT_TARGET, Target
from llmgwd.config.values import ALLOWED, Mistake, Place, in_words, located
from llmgwd.errors import ConfigError

_LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"[a-z0-9][a-z0-9.-]*/[A-Za-z0-9._-]+")
# A day: longer than any client waits, and short enough to be no typing error.
_HOLD_MAX_S: Final = 86_400.0


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _ForwardTable(_Strict):
    name: str | None = None
    listen: str | int | list[str] | None = None
    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    target: str | None = None
    port: int | str | None = None
    url: str | None = None
    fallback: str | list[str] | None = None
    hold: str = "30s"
    hold_limit: int = 256
    probe: str = "litellm"
    probe_every: str = "10s"
    tunnels: int = 64
    protocol: Protocol = Protocol.AUTO


class _KeyTable(_Strict):
    env: str | None = None
    file: str | None = None
    command: list[str] | None = None
    secret: str | None = None


class _GatewayTable(_Strict):
    key: _KeyTable | None = None


class _MetricsTable(_Strict):
    listen: str | int | None = None


class _LogTable(_Strict):
    level: str = "info"


class _File(_Strict):
    forward: list[_ForwardTable] | None = None
    gateway: _GatewayTable = msgspec.field(default_factory=_GatewayTable)
    metrics: _MetricsTable = msgspec.field(default_factory=_MetricsTable)
    log: _LogTable = msgspec.field(default_factory=_LogTable)


def read(path: str) -> Config:
    """Read a configuration file; where there is none, give what needs no configuration.

    Raises:
        ConfigError: the file cannot be read, or holds a mistake; one line that says all.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
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
    try:
        return _build(_shaped(raw), path)
    except Mistake as mistake:
        raise ConfigError(located(mistake, text, path)) from mistake


def _shaped(raw: Mapping[str, Any]) -> _File:
    try:
        return msgspec.convert(raw, _File)
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


_TABLES: Final[Mapping[str, type[_Strict]]] = {
    "": _File,
    "forward": _ForwardTable,
    "gateway": _GatewayTable,
    "gateway.key": _KeyTable,
    "metrics": _MetricsTable,
    "log": _LogTable,
}


def _unknown_key(place: Place, key: str) -> Mistake:
    known = _TABLES[place.pattern].__struct_fields__
    near = nearest(key, known, limit=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return Mistake(place.under(key), None, f"{hint}allowed here: {in_words(sorted(known))}")


def _build(file: _File, path: str) -> Config:
    folder = os.path.dirname(os.path.abspath(path))
    tables = file.forward
    if tables is None:
        forwards: tuple[ForwardConfig, ...] = (default_forward(),)
    else:
        forwards = tuple(
            _forward(table, Place("forward", index), folder) for index, table in enumerate(tables)
        )
    _refuse_doubles(forwards)
    if file.log.level not in _LOG_LEVELS:
        raise Mistake(Place("log").under("level"), file.log.level, ALLOWED["log.level"])
    return Config(
        path=path,
        is_present=True,
        forwards=forwards,
        gateway=_gateway(file.gateway, folder),
        metrics=_metrics(file.metrics),
        log_level=file.log.level,
    )


def _forward(table: _ForwardTable, place: Place, folder: str) -> ForwardConfig:
    name = table.name if table.name is not None else "litellm"
    _check(place, "name", name, bool(_NAME.fullmatch(name)))
    _check(place, "hold_limit", table.hold_limit, 0 <= table.hold_limit <= 65_536)
    _check(place, "tunnels", table.tunnels, 1 <= table.tunnels <= 1024)
    return ForwardConfig(
        name=name,
        listen=_listen(table, place),
        routes=_routes(table, place, folder),
        hold_s=_duration(place, "hold", table.hold, 0.0, _HOLD_MAX_S),
        hold_limit=table.hold_limit,
        probe=_probe(table, place),
        tunnel_limit=table.tunnels,
        protocol=table.protocol,
    )


def _listen(table: _ForwardTable, place: Place) -> tuple[ListenAddress, ...]:
    wanted = table.listen if table.listen is not None else "localhost:4000"
    texts = wanted if isinstance(wanted, list) else [wanted]
    addresses = [each for text in texts for each in _address(place.under("listen"), text)]
    if not addresses:
        raise Mistake(place.under("listen"), wanted, ALLOWED["forward.listen"])
    return tuple(dict.fromkeys(addresses))


def _address(place: Place, text: str | int) -> tuple[ListenAddress, ...]:
    """Read "localhost:4000", "127.0.0.1:4000", "[::1]:4000", or a bare port."""
    host, _, digits = str(text).rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_port = digits.isascii() and digits.isdecimal() and 1 <= int(digits) <= 65_535
    if not is_port or (":" in host and not is_bracketed):
        raise Mistake(place, text, ALLOWED["forward.listen"])
    host = host[1:-1] if is_bracketed else host
    if host in ("", "localhost"):
        return localhost(int(digits))
    if not _is_ip_address(host):
        raise Mistake(place, text, ALLOWED["forward.listen"])
    return (ListenAddress(host, int(digits)),)


def _is_ip_address(host: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _routes(table: _ForwardTable, place: Place, folder: str) -> tuple[ClusterRoute | UrlRoute, ...]:
    fallback = [table.fallback] if isinstance(table.fallback, str) else table.fallback or []
    behind = tuple(_url(place, "fallback", url) for url in fallback)
    if table.url is None:
        return (_cluster_route(table, place, folder), *behind)
    for key in ("context", "kubeconfig", "namespace", "target", "port"):
        if getattr(table, key) is not None:
            raise Mistake(
                place.under(key),
                getattr(table, key),
                "nothing, because url leads to the gateway without a cluster "
                "(a URL to use while the cluster is away is called fallback)",
            )
    return (_url(place, "url", table.url), *behind)


def _cluster_route(table: _ForwardTable, place: Place, folder: str) -> ClusterRoute:
    namespace = table.namespace if table.namespace is not None else "litellm"
    _check(place, "namespace", namespace, bool(_DNS_LABEL.fullmatch(namespace)))
    return ClusterRoute(
        namespace=namespace,
        target=_target(table, place),
        port=_port(table, place),
        context=table.context,
        kubeconfig=None if table.kubeconfig is None else _file(table.kubeconfig, folder),
    )


def _target(table: _ForwardTable, place: Place) -> Target:
    if table.target is None:
        return DEFAULT_TARGET
    try:
        return Target.parse(table.target)
    except ValueError:
        where = place.under("target")
        raise Mistake(where, table.target, ALLOWED[where.pattern]) from None


def _port(table: _ForwardTable, place: Place) -> str:
    """A number of 1-65535, or a name as Kubernetes has them (which holds at least one letter)."""
    port = 4000 if table.port is None else table.port
    text = str(port)
    if text.lstrip("-").isdecimal():
        _check(place, "port", port, 1 <= int(text) <= 65_535)
    else:
        _check(place, "port", port, bool(re.fullmatch(r"[a-z0-9-]{1,63}", text)))
    return text


def _url(place: Place, key: str, text: str) -> UrlRoute:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    _check(place, key, text, is_url)
    return UrlRoute(text.rstrip("/"))


def _probe(table: _ForwardTable, place: Place) -> Probe:
    every_s = _duration(place, "probe_every", table.probe_every, 1.0, 3600.0)
    if table.probe.startswith("/"):
        is_path = table.probe.isascii() and table.probe.isprintable() and " " not in table.probe
        _check(place, "probe", table.probe, is_path)
        return Probe("http", table.probe, every_s)
    _check(place, "probe", table.probe, table.probe in ("litellm", "tcp", "off"))
    return Probe(table.probe, every_s=every_s)


def _duration(place: Place, key: str, text: str, least_s: float, most_s: float) -> float:
    match = _DURATION.fullmatch(text)
    duration_s = float(match[1]) * _UNIT_S[match[2]] if match else -1.0
    _check(place, key, text, least_s <= duration_s <= most_s)
    return duration_s


def _gateway(table: _GatewayTable, folder: str) -> GatewayConfig:
    if table.key is None:
        return GatewayConfig()
    place = Place("gateway.key")
    key = table.key
    given = [name for name in key.__struct_fields__ if getattr(key, name) is not None]
    if len(given) != 1:
        raise Mistake(place, given, ALLOWED["gateway.key"])
    _check(place, "env", key.env, key.env is None or bool(_ENV_NAME.fullmatch(key.env)))
    _check(place, "secret", key.secret, key.secret is None or bool(_SECRET.fullmatch(key.secret)))
    _check(place, "command", key.command, key.command is None or bool(key.command))
    return GatewayConfig(
        KeySource(
            env=key.env,
            file=None if key.file is None else _file(key.file, folder),
            command=None if key.command is None else tuple(key.command),
            secret=key.secret,
        )
    )


def _metrics(table: _MetricsTable) -> ListenAddress | None:
    if table.listen is None:
        return None
    address = _address(Place("metrics").under("listen"), table.listen)[0]
    is_loopback = address.host == "::1" or address.host.startswith("127.")
    if not is_loopback:
        raise Mistake(Place("metrics").under("listen"), table.listen, ALLOWED["metrics.listen"])
    return address


def _file(text: str, folder: str) -> str:
    """A path as a person writes it: "~" is the home, and relative is relative to the file."""
    return os.path.join(folder, os.path.expanduser(text))


def _refuse_doubles(forwards: Iterable[ForwardConfig]) -> None:
    names: dict[str, int] = {}
    addresses: dict[ListenAddress, str] = {}
    for index, forward in enumerate(forwards):
        place = Place("forward", index)
        if forward.name in names:
            raise Mistake(
                place.under("name"),
                forward.name,
                f"a name of its own: forward[{names[forward.name] + 1}] is called that",
            )
        names[forward.name] = index
        for address in forward.listen:
            if address in addresses:
                raise Mistake(
                    place.under("listen"),
                    str(address),
                    f'an address of its own: forward "{addresses[address]}" listens there',
                )
            addresses[address] = forward.name


def _check(place: Place, key: str, value: object, is_allowed: bool) -> None:
    if not is_allowed:
        where = place.under(key)
        raise Mistake(where, value, ALLOWED[where.pattern])
