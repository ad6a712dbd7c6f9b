"""Which proxy a request to a forward would be sent to, and what exempts it. Pure.

A proxy cannot reach this machine's ports, and over plain HTTP it reads the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXEMPTING = ("no_proxy", "NO_PROXY")
# Programs compare the name as it is written, so each spelling of this machine stands there.
# None in brackets: httpx takes that for a pattern and fails.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def proxy_for(url: str, environ: Mapping[str, str], names: Sequence[str]) -> str | None:
    """Name the variable whose proxy a program would use for `url`, or None."""
    name = next((each for each in names if environ.get(each)), None)
    return None if name is None or is_exempt(url, environ) else name


def is_exempt(url: str, environ: Mapping[str, str]) -> bool:
    """Say whether the list that programs read first names the host of `url`."""
    entries = next((environ[name] for name in EXEMPTING if environ.get(name)), "")
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    for entry in entries.replace(",", " ").split():
        bare = entry.removeprefix("*").lstrip(".").strip("[]").lower()
        if entry == "*" or bare in (host, f"{host}:{port}", f"[{host}]:{port}"):
            return True
    return False


def exemptions(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Give both lists with this machine's names added; empty where they are there, or need not.

    A list that is missing gets what the other has: a program that reads one ignores the other.
    """
    # Python's programs read these names in any case.
    if not any(value and name.lower() in _PROXIES for name, value in environ.items()):
        return {}
    hosts = dict.fromkeys([urlsplit(url).hostname or "localhost", *LOOPBACK])
    changed = {}
    for name, other in (EXEMPTING, EXEMPTING[::-1]):
        has = (environ.get(name) or environ.get(other) or "").strip(", ")
        entries = {each.strip() for each in has.replace(",", " ").split()}
        # Alone it is all hosts to every program; among others curl takes it for a name.
        missing = [] if entries == {"*"} else [host for host in hosts if host not in entries]
        value = ",".join([*([has] if has else []), *missing])
        if value != environ.get(name):
            changed[name] = value
    return changed


_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
