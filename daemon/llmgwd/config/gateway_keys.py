"""Which forward has which key: its own, or the one of [gateway] where it leads to that gateway."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from llmgwd.config import key_source, values
from llmgwd.config.mistakes import ALLOWED, Mistake, Place
from llmgwd.config.model import ClusterRoute, ProbeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwd.config.key_source import KeySource
    from llmgwd.config.model import ForwardConfig, GatewayConfig, UrlRoute
    from llmgwd.config.schema import File, KeyTable

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"[a-z0-9][a-z0-9.-]*/[A-Za-z0-9._-]+")


def read_key_source(table: KeyTable, place: Place, folder: str) -> KeySource:
    """Read a `key` table; raises Mistake."""
    given = [name for name in table.__struct_fields__ if getattr(table, name) is not None]
    if len(given) != 1:
        raise Mistake(place, given, ALLOWED["gateway.key"])
    if table.env is not None:
        values.check(place, "env", table.env, bool(_ENV_NAME.fullmatch(table.env)))
        return key_source.Env(table.env)
    if table.file is not None:
        return key_source.File(values.file_path(table.file, folder))
    if table.command is not None:
        values.check(place, "command", table.command, bool(table.command))
        return key_source.Command(tuple(table.command))
    assert table.secret is not None
    values.check(place, "secret", table.secret, bool(_SECRET.fullmatch(table.secret)))
    name, _, entry = table.secret.partition("/")
    return key_source.Secret(name, entry)


def with_keys(
    forwards: Sequence[ForwardConfig], gateway: GatewayConfig, file: File
) -> tuple[ForwardConfig, ...]:
    """Give each forward its key, and whether it is injected; raises Mistake.

    A key goes to the gateway that it is of and to no other: the key of [gateway] is that of the
    first forward with a LiteLLM behind it, of every other one that leads to the same place, and of
    those that `forwards` names.
    """
    if not forwards:
        return ()
    _check_names(forwards, gateway)
    first = next((each for each in forwards if each.probe.kind is ProbeKind.LITELLM), forwards[0])
    places = set(map(_place, first.routes))
    found = []
    tables = file.forward or []
    for index, each in enumerate(forwards):
        table = tables[index] if index < len(tables) else None
        is_gateways = each.name in gateway.forwards or not places.isdisjoint(
            map(_place, each.routes)
        )
        key = each.key if table is not None and table.key is not None else None
        if key is None and is_gateways:
            key = gateway.key
        injects = table.inject if table is not None else None
        if injects is None:
            injects = gateway.injects_key and key is not None
        if injects:
            _check_injection(each, key, index, is_own=table is not None and bool(table.inject))
        found.append(replace(each, key=key, injects_key=injects))
    return tuple(found)


def _place(route: ClusterRoute | UrlRoute) -> object:
    """What makes two routes lead to one gateway: all but the port, which it may have several of."""
    if isinstance(route, ClusterRoute):
        return route.context, route.kubeconfig, route.namespace, route.target
    return route.url


def _check_names(forwards: Sequence[ForwardConfig], gateway: GatewayConfig) -> None:
    known = [each.name for each in forwards]
    for name in gateway.forwards:
        if name not in known:
            allowed = f"names of forwards: {', '.join(known)}"
            raise Mistake(Place("gateway").under("forwards"), name, allowed)


def _check_injection(
    forward: ForwardConfig, key: KeySource | None, index: int, *, is_own: bool
) -> None:
    place = Place("forward", index).under("inject") if is_own else Place("gateway").under("inject")
    if key is None:
        raise Mistake(place, True, "false, because no key is configured for this forward")
    if forward.allow.is_anyone:
        raise Mistake(place, True, 'false, because allow = "anyone" would let anyone use the key')
    if not sys.platform.startswith("linux"):
        raise Mistake(place, True, "false, because this system does not tell whose a connection is")
