"""What one [[forward]] table of the configuration file means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmgwd.config import values
from llmgwd.config.gateway_keys import read_key_source
from llmgwd.config.mistakes import ALLOWED, Mistake, Place
from llmgwd.config.model import ClusterRoute, ForwardConfig, ListenAddress, Probe, ProbeKind
from llmgwd.config.target import DEFAULT_TARGET, Target

if TYPE_CHECKING:
    from llmgwd.config.model import UrlRoute
    from llmgwd.config.schema import ForwardTable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PORT_NAME = re.compile(r"[a-z0-9-]{1,63}")
# A day: longer than any client waits, and short enough to be no typing error.
_HOLD_MAX_S: Final = 86_400.0
# What a URL leads to without.
_OF_A_CLUSTER: Final = ("context", "kubeconfig", "namespace", "target", "port")


def forward(table: ForwardTable, place: Place, folder: str) -> ForwardConfig:
    """Read a table; `folder` is the file's. Raises Mistake."""
    values.check(place, "name", table.name, bool(_NAME.fullmatch(table.name)))
    values.check(place, "hold_limit", table.hold_limit, 0 <= table.hold_limit <= 65_536)
    values.check(place, "tunnels", table.tunnels, 1 <= table.tunnels <= 1024)
    return ForwardConfig(
        name=table.name,
        listen=_listen(table, place),
        routes=_routes(table, place, folder),
        hold_s=values.duration_s(place, "hold", table.hold, 0.0, _HOLD_MAX_S),
        hold_limit=table.hold_limit,
        probe=_probe(table, place),
        tunnel_limit=table.tunnels,
        protocol=table.protocol,
        allow=values.allow(place, table.allow),
        hosts=values.hosts(place, table.hosts),
        origins=values.origins(place, table.origins),
        key=None if table.key is None else read_key_source(table.key, place.under("key"), folder),
    )


def _listen(table: ForwardTable, place: Place) -> tuple[ListenAddress, ...]:
    texts = table.listen if isinstance(table.listen, list) else [table.listen]
    found = [each for text in texts for each in values.addresses(place, "listen", text)]
    values.check(place, "listen", table.listen, bool(found))
    return tuple(dict.fromkeys(found))


def _routes(table: ForwardTable, place: Place, folder: str) -> tuple[ClusterRoute | UrlRoute, ...]:
    fallback = [table.fallback] if isinstance(table.fallback, str) else table.fallback
    behind = tuple(values.url(place, "fallback", url) for url in fallback)
    if table.url is None:
        return (_cluster_route(table, place, folder), *behind)
    for key in _OF_A_CLUSTER:
        if getattr(table, key) is not None:
            raise Mistake(
                place.under(key),
                getattr(table, key),
                "nothing, because url leads to the gateway without a cluster "
                "(a URL to use while the cluster is away is called fallback)",
            )
    return (values.url(place, "url", table.url), *behind)


def _cluster_route(table: ForwardTable, place: Place, folder: str) -> ClusterRoute:
    namespace = table.namespace if table.namespace is not None else "litellm"
    values.check(place, "namespace", namespace, bool(_DNS_LABEL.fullmatch(namespace)))
    kubeconfig = table.kubeconfig
    return ClusterRoute(
        namespace=namespace,
        target=_target(table, place),
        port=_port(table, place),
        context=table.context,
        kubeconfig=None if kubeconfig is None else values.file_path(kubeconfig, folder),
    )


def _target(table: ForwardTable, place: Place) -> Target:
    if table.target is None:
        return DEFAULT_TARGET
    try:
        return Target.parse(table.target)
    except ValueError:
        where = place.under("target")
        raise Mistake(where, table.target, ALLOWED[where.pattern]) from None


def _port(table: ForwardTable, place: Place) -> str:
    """A number of 1-65535, or a name as Kubernetes has them (which holds at least one letter)."""
    port = 4000 if table.port is None else table.port
    text = str(port)
    if text.lstrip("-").isdecimal():
        values.check(place, "port", port, values.is_port_number(text))
    else:
        values.check(place, "port", port, bool(_PORT_NAME.fullmatch(text)))
    return text


def _probe(table: ForwardTable, place: Place) -> Probe:
    every_s = values.duration_s(place, "probe_every", table.probe_every, 1.0, 3600.0)
    if table.probe.startswith("/"):
        is_path = table.probe.isascii() and table.probe.isprintable() and " " not in table.probe
        values.check(place, "probe", table.probe, is_path)
        return Probe(ProbeKind.HTTP, table.probe, every_s)
    # A probe by HTTP is written as its path.
    names = {kind.value for kind in ProbeKind if kind is not ProbeKind.HTTP}
    values.check(place, "probe", table.probe, table.probe in names)
    return Probe(ProbeKind(table.probe), every_s=every_s)
