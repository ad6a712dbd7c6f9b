"""Single values of the configuration file, read into types; each mistake names its place."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Final
from urllib.parse import urlsplit

from llmgwd.config.mistakes import ALLOWED, Mistake, Place
from llmgwd.config.model import ANYONE, Allow, ListenAddress, UrlRoute, localhost

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# What useradd takes (and Active Directory's names, which have capitals and dots), or a number: a
# container's user has no name here.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}\$?|[0-9]{1,10}")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\.?")
# RFC 6454: scheme, host, port. Electron's own schemes and extensions have names as hosts, and
# pages from files have none.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9_.-]*(\[[0-9a-f:.]+\])?(:\d{1,5})?")


def check(place: Place, key: str, value: object, is_allowed: bool) -> None:
    """Raises Mistake: the value is not allowed at that key."""
    if not is_allowed:
        where = place.under(key)
        raise Mistake(where, value, ALLOWED[where.pattern])


def is_port_number(digits: str) -> bool:
    # The length first: int() refuses thousands of digits with an error of its own.
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= 5
    return is_number and 1 <= int(digits) <= 65_535


def duration_s(place: Place, key: str, text: str, least_s: float, most_s: float) -> float:
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _UNIT_S[match[2]] if match else -1.0
    check(place, key, text, least_s <= seconds <= most_s)
    return seconds


def addresses(place: Place, key: str, text: str | int) -> tuple[ListenAddress, ...]:
    """Read "localhost:4000", "127.0.0.1:4000", "[::1]:4000", or a bare port."""
    host, _, digits = str(text).rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_port = is_port_number(digits)
    check(place, key, text, is_port and (is_bracketed or ":" not in host))
    host = host[1:-1] if is_bracketed else host
    if host in ("", "localhost"):
        return localhost(int(digits))
    check(place, key, text, _is_ip_address(host))
    return (ListenAddress(host, int(digits)),)


def url(place: Place, key: str, text: str) -> UrlRoute:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    check(place, key, text, is_url)
    return UrlRoute(text.rstrip("/"))


def allow(place: Place, wanted: str | list[str]) -> Allow:
    """Read "anyone", or a list of users."""
    if isinstance(wanted, str):
        check(place, "allow", wanted, wanted == ANYONE)
        return Allow(is_anyone=True)
    for user in wanted:
        # A user of that name would be taken for everyone by the next reader of the file.
        check(place, "allow", wanted, bool(_USER.fullmatch(user)) and user != ANYONE)
    return Allow(tuple(dict.fromkeys(wanted)))


def hosts(place: Place, wanted: list[str]) -> tuple[str, ...]:
    """Read names and addresses as a Host header has them, without ports; in lower case."""
    found = [text.lower().strip("[]") for text in wanted]
    for host in found:
        check(place, "hosts", wanted, _is_ip_address(host) or bool(_HOST.fullmatch(host)))
    return tuple(dict.fromkeys(host.rstrip(".") for host in found))


def origins(place: Place, wanted: list[str]) -> tuple[str, ...]:
    """Read origins as browsers send them (RFC 6454), in lower case."""
    found = [text.lower() for text in wanted]
    for origin in found:
        check(place, "origins", wanted, bool(_ORIGIN.fullmatch(origin)))
    return tuple(dict.fromkeys(found))


def file_path(text: str, folder: str) -> str:
    """A path as a person writes it: "~" is the home, and relative is relative to the file."""
    return os.path.join(folder, os.path.expanduser(text))


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
