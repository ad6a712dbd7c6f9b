"""The URL of a forward, and whether another one leads to the same place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "*": "127.0.0.1"}  # noqa: S104 - compared
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def base_url(listen: Sequence[str]) -> str:
    """Give the URL of a forward, from the addresses it is bound to right now.

    `localhost` only where both its addresses are bound: programs try ::1 first, and one that
    finds it refused may not try the other.
    """
    hosts = [address.rpartition(":")[0] for address in listen]
    if not hosts:
        raise ValueError("no address")
    host, port = hosts[0], listen[0].rpartition(":")[2]
    if {"127.0.0.1", "[::1]"} <= set(hosts):
        host = "localhost"
    return f"http://{_WILDCARDS.get(host, host)}:{port}"


def leads_to(url: str, wanted: str, *, needs_path: bool = True) -> bool:
    """Say whether a URL reaches the address `wanted`, whatever this machine's name in it.

    `needs_path` False: /v1 may be there or not, for programs that add it themselves.
    """
    try:
        ours, theirs = urlsplit(wanted), urlsplit(url)
        is_there = theirs.scheme == ours.scheme and _port(url) == _port(wanted)
    except ValueError:
        return False
    hosts = {ours.hostname, theirs.hostname}
    if not is_there or (len(hosts) > 1 and not hosts <= set(_LOOPBACK)):
        return False
    paths = (theirs.path.rstrip("/"), ours.path.rstrip("/"))
    if needs_path:
        return paths[0] == paths[1]
    return all(path in ("", "/v1") for path in paths)


def is_local(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in _LOOPBACK
    except ValueError:
        return False


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
